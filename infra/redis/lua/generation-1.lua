-- GENERATION: replaces exactly the one that was seen.
-- KEYS  generation
-- ARGV  the one seen or '' for none, the new one
-- the one that stands afterwards
local generation = redis.call('GET', KEYS[1])
if (generation or '') ~= ARGV[1] then return generation end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
