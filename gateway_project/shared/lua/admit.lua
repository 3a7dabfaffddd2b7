-- ARGV: id, lease in ms, the names of all slots in order ("" when extending), then per limit: slot, window, maximum,
-- amount. Answers -1 (a balance is needed), {number of the limit without room, used, held}, or {0, used, held, ...}.
local BALANCE_NEEDED = {-1}
local id, lease_ms, slots = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local HEAD, EACH, META = 3, 4, 5

local function argument(limit, part)
  return ARGV[HEAD + (limit - 1) * EACH + part]
end

local count = (#ARGV - HEAD) / EACH
local names = {'since', 'mark', 'token', 'next', 'slots'}
for limit = 1, count do
  local slot = argument(limit, 1)
  names[#names + 1] = 'w:' .. slot
  names[#names + 1] = 'u:' .. slot
  names[#names + 1] = 'h:' .. slot
end
local state = redis.call('HMGET', key, unpack(names))
local since, next_due = state[1], state[4]
if not since or state[2] or state[3] then
  return BALANCE_NEEDED
end
local now = now_ms()
if next_due and now >= tonumber(next_due) then
  if end_leases(now) then
    return BALANCE_NEEDED
  end
  next_due = redis.call('HGET', key, 'next')
end

-- Which windows are newer than the stored ones; an older one counts in the stored one.
local newer = {}
for limit = 1, count do
  local stored, asked = state[META + limit * 3 - 2], argument(limit, 2)
  if not stored then
    return BALANCE_NEEDED
  end
  if stored ~= asked then
    local start, epoch = string.match(stored, '(%d+):(%d+)')
    local asked_start, asked_epoch = string.match(asked, '(%d+):(%d+)')
    start, asked_start = tonumber(start), tonumber(asked_start)
    if asked_start > start then
      -- The books may know of spend in it from before the counters were complete.
      if asked_start * 1000 < tonumber(since) then
        return BALANCE_NEEDED
      end
      newer[limit] = true
    elseif asked_start == start and tonumber(asked_epoch) > tonumber(epoch) then
      newer[limit] = true
    end
  end
end
for limit in pairs(newer) do
  local slot = argument(limit, 1)
  redis.call('HSET', key, 'w:' .. slot, argument(limit, 2), 'u:' .. slot, '0', 'h:' .. slot, '0')
  state[META + limit * 3 - 2], state[META + limit * 3 - 1], state[META + limit * 3] = argument(limit, 2), '0', '0'
end

-- A slot that is no longer limited is no longer kept true, so it must be loaded again when it is.
if slots ~= '' and slots ~= state[5] then
  local kept = {}
  for slot in string.gmatch(slots, '%S+') do
    kept[slot] = true
  end
  for slot in string.gmatch(state[5], '%S+') do
    if not kept[slot] then
      redis.call('HDEL', key, 'w:' .. slot, 'u:' .. slot, 'h:' .. slot)
    end
  end
  redis.call('HSET', key, 'slots', slots)
end

for limit = 1, count do
  local used, held = state[META + limit * 3 - 1], state[META + limit * 3]
  -- Differences, since a sum may lie beyond what a double holds exactly.
  if tonumber(argument(limit, 3)) - tonumber(used) - tonumber(held) < tonumber(argument(limit, 4)) then
    return {limit, used, held}
  end
end

local answer, holds = {0}, ''
for limit = 1, count do
  local slot, amount = argument(limit, 1), argument(limit, 4)
  answer[#answer + 1] = state[META + limit * 3 - 1]
  answer[#answer + 1] = redis.call('HINCRBY', key, 'h:' .. slot, amount)
  holds = holds .. ' ' .. slot .. ' ' .. state[META + limit * 3 - 2] .. ' ' .. amount
end
local deadline = now + lease_ms
if redis.call('HSETNX', key, 'r:' .. id, text(deadline) .. holds) == 0 then
  -- Known already: the holds add up, and a lease that had ended begins again.
  local stored_deadline, stored_holds = parsed(redis.call('HGET', key, 'r:' .. id))
  deadline = math.max(stored_deadline, deadline)
  redis.call('HSET', key, 'r:' .. id, text(deadline) .. ' ' .. stored_holds .. holds)
end
if not next_due or deadline < tonumber(next_due) then
  redis.call('HSET', key, 'next', text(deadline))
end
redis.call('EXPIRE', key, IDLE_S + math.ceil(lease_ms / 1000))
return answer
