-- MARK INBOX: the same by one who appends and holds no epoch: adds the name, never changes a score.
-- KEYS  index of the partition, generation
-- ARGV  generation, address
-- 'OK' | {'GENERATION', found}
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[1] then return {'GENERATION', generation or ''} end
redis.call('ZADD', KEYS[1], 'NX', '0', ARGV[2])
return 'OK'
