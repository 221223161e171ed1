-- PUBLISHED: raises, and never lowers, the seq of the last event known to be on the events topic.
-- KEYS  location, generation
-- ARGV  epoch, generation, seq
-- 'OK' | {'GENERATION', found} | {'FENCED', epoch}
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[2] then return {'GENERATION', generation or ''} end
local had = redis.call('HMGET', KEYS[1], 'e', 'p')
if had[1] ~= ARGV[1] then return {'FENCED', had[1] or '0'} end
if tonumber(ARGV[3]) > tonumber(had[2] or '0') then redis.call('HSET', KEYS[1], 'p', ARGV[3]) end
return 'OK'
