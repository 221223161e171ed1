-- TAKE: a lease that is free, mine already, or of an earlier life or acquisition of the same REPLICA_ID; never another's.
-- KEYS  lease
-- ARGV  holder 'REPLICA_ID/life/n' (16 and 10 digits), ttl (ms)
-- 1 taken, 0 held
local found, mine = redis.call('GET', KEYS[1]), ARGV[1]
if found and found ~= mine then
  local same = #found == #mine and string.sub(found, 1, -29) == string.sub(mine, 1, -29)
  if not (same and found < mine) then return 0 end
end
redis.call('SET', KEYS[1], mine, 'PX', ARGV[2])
return 1
