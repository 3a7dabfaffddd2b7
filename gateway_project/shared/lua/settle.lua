-- KEYS[2]: kept for a while when the id is settled. ARGV: id, for how many s, "1" to pass over an unknown id in
-- silence, then per counter: slot, window, amount. Answers 1, or 0 when the id is unknown.
local id = ARGV[1]
local reservation = redis.call('HGET', key, 'r:' .. id)
if not reservation then
  if ARGV[3] == '1' or redis.call('EXISTS', KEYS[2]) == 1 then
    return 1
  end
  if redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'mark', '1')
  end
  return 0
end

local names = {'token'}
for i = 4, #ARGV, 3 do
  names[#names + 1] = 'w:' .. ARGV[i]
end
local state = redis.call('HMGET', key, unpack(names))
local current = {}
for i = 4, #ARGV, 3 do
  current[ARGV[i]] = state[2 + (i - 4) / 3]
end

local _, holds = parsed(reservation)
local counted_in = {}
for slot, window, amount in triples(holds) do
  if current[slot] == nil then
    current[slot] = redis.call('HGET', key, 'w:' .. slot)
  end
  if current[slot] == window and amount ~= '0' then
    redis.call('HINCRBY', key, 'h:' .. slot, '-' .. amount)
  end
  counted_in[slot] = window
end

local settled = ''
for i = 4, #ARGV, 3 do
  local slot, amount = ARGV[i], ARGV[i + 2]
  -- The window it was admitted in, which for a caller whose clock is behind is not the one it names.
  local window = counted_in[slot] or ARGV[i + 1]
  if current[slot] == window then
    redis.call('HINCRBY', key, 'u:' .. slot, amount)
  end
  settled = settled .. slot .. ' ' .. window .. ' ' .. amount .. ' '
end
redis.call('HDEL', key, 'r:' .. id)
redis.call('SET', KEYS[2], '', 'EX', ARGV[2])
if state[1] then
  redis.call('HSET', key, 's:' .. id, settled)
end
return 1
