-- APPEND: a waiting command into the durable inbox, with its id, in one write. Needs no epoch: it changes no state.
-- KEYS  location, generation
-- ARGV  generation, 'i:lane:offset', 'd:id', entry (status i), id, id..newline..text
-- 'OK' | {'GENERATION', found} | {'KNOWN', entry} | {'ID_REUSED'} | {'RECREATED', id found at that offset}
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[1] then return {'GENERATION', generation or ''} end
local had = redis.call('HMGET', KEYS[1], ARGV[3], ARGV[2])
if had[1] then
  if string.sub(had[1], 2, 44) ~= string.sub(ARGV[4], 2, 44) then return {'ID_REUSED'} end
  return {'KNOWN', had[1]}
end
if had[2] then
  local id = string.match(had[2], '^[^\n]*')
  if id ~= ARGV[5] then return {'RECREATED', id} end
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[6], ARGV[3], ARGV[4])
return 'OK'
