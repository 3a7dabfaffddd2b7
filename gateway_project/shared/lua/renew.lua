-- ARGV: lease in ms, then ids; unknown ones, and those whose lease has ended, are passed over.
local deadline = now_ms() + tonumber(ARGV[1])
for i = 2, #ARGV do
  local reservation = redis.call('HGET', key, 'r:' .. ARGV[i])
  if reservation then
    local stored, holds = parsed(reservation)
    if stored > 0 then
      redis.call('HSET', key, 'r:' .. ARGV[i], text(deadline) .. ' ' .. holds)
    end
  end
end
local nearest = redis.call('HGET', key, 'next')
if nearest and deadline < tonumber(nearest) then
  redis.call('HSET', key, 'next', text(deadline))
end
redis.call('EXPIRE', key, IDLE_S + math.ceil(ARGV[1] / 1000))
return 1
