-- UNMARK: takes a location's name out of the index when nothing there waits for anybody.
-- KEYS  index of the partition, location, generation, inbox index of customer, of bulk
-- ARGV  epoch, generation, address
-- 'OK' | {'GENERATION', found} | {'FENCED', epoch} | {'BUSY'}
local generation = redis.call('GET', KEYS[3])
if generation ~= ARGV[2] then return {'GENERATION', generation or ''} end
local had = redis.call('HMGET', KEYS[2], 'e', 's', 'p', 'x', 'k', 'f', 'pa', 't')
if had[1] ~= ARGV[1] then return {'FENCED', had[1] or '0'} end
if tonumber(had[3] or '0') < tonumber(had[2] or '0') then return {'BUSY'} end
for i = 4, 8 do
  if had[i] and had[i] ~= '' then return {'BUSY'} end
end
if redis.call('ZCARD', KEYS[4]) + redis.call('ZCARD', KEYS[5]) > 0 then return {'BUSY'} end
redis.call('ZREM', KEYS[1], ARGV[3])
return 'OK'
