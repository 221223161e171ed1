-- COMMIT: one atomic step of one location, all of it or nothing, in one write: two would be a MULTI in the log, which a torn tail leaves open.
-- KEYS  location, generation
-- ARGV  epoch, generation, expected seq, number of ids, number of unrecorded ids, 'r:id' of each unrecorded id,
--       'p', published or '', then 'd:id' and entry for each id, then field and value of all else
--       an entry is one character of status (i o p d r), 43 of hash, then text
-- 'OK' | {'GENERATION', found} | {'FENCED', epoch} | {'SEQ', seq} | {'REFUSED', 'd:id' or 'r:id', why, what is there, ... of every offender}
local NEXT = { i = 'opdr', o = 'odr', p = 'podr', d = '', r = '' }
local generation = redis.call('GET', KEYS[2])
if generation ~= ARGV[2] then return {'GENERATION', generation or ''} end
local names = {'e', 's', 'p'}
local p = 6 + tonumber(ARGV[5])
local last = p + 1 + 2 * tonumber(ARGV[4])
for i = p + 2, last, 2 do names[#names + 1] = ARGV[i] end
local ids = #names
for i = 6, p - 1 do names[#names + 1] = ARGV[i] end
local had = redis.call('HMGET', KEYS[1], unpack(names))
if had[1] ~= ARGV[1] then return {'FENCED', had[1] or '0'} end
if (had[2] or '0') ~= ARGV[3] then return {'SEQ', had[2] or '0'} end
local offenders = {'REFUSED'}
local function offends(name, why, there)
  offenders[#offenders + 1] = name
  offenders[#offenders + 1] = why
  offenders[#offenders + 1] = there
end
for i = 4, ids do
  local there, new = had[i], ARGV[p + 2 * i - 5]
  if there then
    local why = string.sub(there, 2, 44) ~= string.sub(new, 2, 44) and 'ID_REUSED'
      or not string.find(NEXT[string.sub(there, 1, 1)], string.sub(new, 1, 1), 1, true) and 'TRANSITION'
    if why then offends(names[i], why, there) end
  end
end
for i = ids + 1, #names do
  if had[i] then offends(names[i], 'RECORDED', had[i]) end
end
if #offenders > 1 then return offenders end
local first = p + 2
if ARGV[p + 1] ~= '' then
  first = p
  if tonumber(had[3] or '0') > tonumber(ARGV[p + 1]) then ARGV[p + 1] = had[3] end
end
if #ARGV > first then redis.call('HSET', KEYS[1], unpack(ARGV, first)) end
return 'OK'
