-- MARK: names a location among those of its partition that may need work, by the owner of its epoch.
-- KEYS  index of the partition, location, generation
-- ARGV  epoch, generation, address
-- 'OK' | {'GENERATION', found} | {'FENCED', epoch}
local generation = redis.call('GET', KEYS[3])
if generation ~= ARGV[2] then return {'GENERATION', generation or ''} end
local epoch = redis.call('HGET', KEYS[2], 'e')
if epoch ~= ARGV[1] then return {'FENCED', epoch or '0'} end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[3])
return 'OK'
