-- ARGV: a new token. Answers the token of the open rebuild and the ids of all that is not in a balance for certain.
local now = now_ms()
end_leases(now)
local token = redis.call('HGET', key, 'token')
if not token then
  token = ARGV[1]
  redis.call('HSET', key, 'token', token, 'opened', text(now))
  -- What put the counters in doubt until now is cured by this rebuild; what comes while it runs needs another one.
  redis.call('HDEL', key, 'mark')
end
redis.call('EXPIRE', key, IDLE_S)
local answer = {token}
for _, field in ipairs(redis.call('HKEYS', key)) do
  local prefix = string.sub(field, 1, 2)
  -- A rebuild that is joined: what was settled since it was opened is in its log, and may be in this one's balance.
  if prefix == 'r:' or prefix == 's:' then
    answer[#answer + 1] = string.sub(field, 3)
  end
end
return answer
