-- CLAIM: the next epoch of a location for a new owner, with what it needs to begin. A generation counts as 2^32 epochs.
-- KEYS  location, generation, inbox index of customer, of bulk
-- ARGV  checked generation, owner
-- {'OK', epoch, {s, p, st, x, k, f, pa, t}, waiting in customer, in bulk} | {'GENERATION', found}
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[1] then return {'GENERATION', generation or ''} end
local epoch = tonumber(redis.call('HGET', KEYS[1], 'e') or '0')
local floor = tonumber(string.match(generation, '^%d+')) * 4294967296
if epoch < floor then epoch = floor end
-- '..' and tostring round what is above 1e14
local text = string.format('%.0f', epoch + 1)
local header = redis.call('HMGET', KEYS[1], 's', 'p', 'st', 'x', 'k', 'f', 'pa', 't')
local customer, bulk = redis.call('ZCARD', KEYS[3]), redis.call('ZCARD', KEYS[4])
redis.call('HSET', KEYS[1], 'e', text, 'o', ARGV[2])
return {'OK', text, header, customer, bulk}
