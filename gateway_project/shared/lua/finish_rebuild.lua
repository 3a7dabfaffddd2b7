-- ARGV: token, s for which a settled id is kept, number of counters, per counter: slot, window, used; then the ids
-- that the balance holds already. KEYS[2]: what a settled id's key begins with. Answers 1, or 0 for another token.
local fields = everything()
if fields['token'] ~= ARGV[1] then
  return 0
end
local LAST = 3 + 3 * tonumber(ARGV[3])
local in_balance = {}
for i = LAST + 1, #ARGV do
  local id = ARGV[i]
  in_balance[id] = true
  if fields['r:' .. id] then
    redis.call('HDEL', key, 'r:' .. id)
    redis.call('SET', KEYS[2] .. id, '', 'EX', ARGV[2])
  end
end

for slot in string.gmatch(fields['slots'] or '', '%S+') do
  redis.call('HDEL', key, 'w:' .. slot, 'u:' .. slot, 'h:' .. slot)
end
local window_of, slots = {}, {}
for i = 4, LAST, 3 do
  local slot = ARGV[i]
  window_of[slot] = ARGV[i + 1]
  slots[#slots + 1] = slot
  redis.call('HSET', key, 'w:' .. slot, ARGV[i + 1], 'u:' .. slot, ARGV[i + 2], 'h:' .. slot, '0')
end

for field, value in pairs(fields) do
  local prefix, id = string.sub(field, 1, 2), string.sub(field, 3)
  local target, _ = nil, nil
  if prefix == 's:' then
    redis.call('HDEL', key, field)
    target = 'u:'
  elseif prefix == 'r:' then
    _, value = parsed(value)
    target = 'h:'
  end
  if target and not in_balance[id] then
    for slot, window, amount in triples(value) do
      if window_of[slot] == window then
        redis.call('HINCRBY', key, target .. slot, amount)
      end
    end
  end
end
redis.call('HSET', key, 'since', fields['opened'], 'slots', table.concat(slots, ' '))
redis.call('HDEL', key, 'token', 'opened')
return 1
