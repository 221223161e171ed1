-- APPLIED: the canary of a partition: how far its offsets were applied, seen by which life of the store. Raises, never lowers,
-- unless an operator accepted the partition as it is.
-- KEYS  canary, generation
-- ARGV  generation, life, offset, append time of the newest record (ms), '1' when an operator accepted it
-- 'OK' | {'GENERATION', found}
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[1] then return {'GENERATION', generation or ''} end
local had = redis.call('HMGET', KEYS[1], 'offset', 'newest')
local offset, newest = ARGV[3], ARGV[4]
if ARGV[5] ~= '1' and had[1] and tonumber(had[1]) > tonumber(offset) then offset = had[1] end
if had[2] and tonumber(had[2]) > tonumber(newest) then newest = had[2] end
redis.call('HSET', KEYS[1], 'offset', offset, 'newest', newest, 'life', ARGV[2], 'generation', generation)
return 'OK'
