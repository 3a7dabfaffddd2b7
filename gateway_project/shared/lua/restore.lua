-- Holds again what this server has forgotten, whatever the limits say. KEYS[2]: exists when the id is settled.
-- ARGV: id, lease in ms, then per hold: slot, window, amount. Answers 1, or 0 when nothing was forgotten.
local id = ARGV[1]
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('HEXISTS', key, 'r:' .. id) == 1 then
  return 0
end
local holds = ''
for i = 3, #ARGV, 3 do
  local slot, window, amount = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', key, 'w:' .. slot) == window then
    redis.call('HINCRBY', key, 'h:' .. slot, amount)
  end
  holds = holds .. ' ' .. slot .. ' ' .. window .. ' ' .. amount
end
local deadline = now_ms() + tonumber(ARGV[2])
redis.call('HSET', key, 'r:' .. id, text(deadline) .. holds)
local nearest = redis.call('HGET', key, 'next')
if not nearest or deadline < tonumber(nearest) then
  redis.call('HSET', key, 'next', text(deadline))
end
-- A balance that is being read now may or may not hold what this reservation goes on to use: it is read again.
if redis.call('HDEL', key, 'token', 'opened') > 0 then
  redis.call('HSET', key, 'mark', '1')
end
redis.call('EXPIRE', key, IDLE_S + math.ceil(ARGV[2] / 1000))
return 1
