-- INDEX: makes a lane's inbox index agree with the fields at these offsets. One write: the names that are gone, else those that are there.
-- KEYS  inbox index, location
-- ARGV  lane, offset ...
-- how many names were added or removed
local fields = {}
for i = 2, #ARGV do fields[i - 1] = 'i:' .. ARGV[1] .. ':' .. ARGV[i] end
local found = redis.call('HMGET', KEYS[2], unpack(fields))
local gone, there = {}, {}
for i = 2, #ARGV do
  if found[i - 1] then
    there[#there + 1] = ARGV[i]
    there[#there + 1] = ARGV[i]
  else
    gone[#gone + 1] = ARGV[i]
  end
end
if #gone > 0 then return redis.call('ZREM', KEYS[1], unpack(gone)) end
return redis.call('ZADD', KEYS[1], unpack(there))
