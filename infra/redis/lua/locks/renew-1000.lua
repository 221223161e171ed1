-- RENEW: up to a thousand leases at once, each only while it is still its holder's.
-- KEYS  lease ...
-- ARGV  ttl (ms), holder of each lease
-- for each lease 1 renewed, 0 not its holder's any more
local votes = {}
for i, key in ipairs(KEYS) do
  votes[i] = 0
  -- more than one write: a lock node keeps no log that could be torn
  if redis.call('GET', key) == ARGV[i + 1] then votes[i] = redis.call('PEXPIRE', key, ARGV[1]) end
end
return votes
