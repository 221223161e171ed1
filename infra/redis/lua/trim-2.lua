-- TRIM: forgets fields of a location that its owner no longer needs.
-- KEYS  location, generation
-- ARGV  epoch, generation, seq of the last event among the fields or '0', field ...
-- 'OK' | {'GENERATION', found} | {'FENCED', epoch} | {'UNPUBLISHED', published}: an event would be lost
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[2] then return {'GENERATION', generation or ''} end
local had = redis.call('HMGET', KEYS[1], 'e', 'p')
if had[1] ~= ARGV[1] then return {'FENCED', had[1] or '0'} end
if tonumber(ARGV[3]) > tonumber(had[2] or '0') then return {'UNPUBLISHED', had[2] or '0'} end
if #ARGV > 3 then redis.call('HDEL', KEYS[1], unpack(ARGV, 4)) end
return 'OK'
