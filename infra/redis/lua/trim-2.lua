-- TRIM: forgets fields of a location that its owner no longer needs.
-- KEYS  location, generation
-- ARGV  epoch, generation, field ...
-- 'OK' | {'GENERATION', found} | {'FENCED', epoch}
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[2] then return {'GENERATION', generation or ''} end
local epoch = redis.call('HGET', KEYS[1], 'e')
if epoch ~= ARGV[1] then return {'FENCED', epoch or '0'} end
if #ARGV > 2 then redis.call('HDEL', KEYS[1], unpack(ARGV, 3)) end
return 'OK'
