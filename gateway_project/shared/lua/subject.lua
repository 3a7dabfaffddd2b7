-- Read before every other script of this folder. One hash per subject (KEYS[1]) holds all of it:
--   since      ms; the counters are complete from then on. Absent: they are not loaded.
--   mark       present: they are in doubt and need a rebuild.
--   token, opened   the open rebuild, and the ms it was opened at.
--   next       ms; no lease ends and nothing is forgotten before it.
--   slots      names of the loaded slots. A slot is kind/unit; it has one current window ("start:epoch"):
--   w:SLOT u:SLOT h:SLOT   its window, what is used, what is held by reservations.
--   r:ID       a reservation: its deadline in ms and its holds ("slot window amount" each). A negative deadline is
--              the ms at which the lease had ended; its amounts are 0, but it still knows its windows.
--   s:ID       settled since the open rebuild was opened: "slot window amount" each.
-- Amounts stay text, and HINCRBY adds them, so that they are exact; only comparisons use Lua's doubles.
local key = KEYS[1]
local IDLE_S = 86400
local FORGET_MS = 86400000

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number)
  return string.format('%.0f', number)
end

local function triples(holds)
  return string.gmatch(holds, '(%S+) (%S+) (%S+)')
end

-- "deadline hold hold ..." -> deadline, "hold hold ..."
local function parsed(reservation)
  local deadline, holds = string.match(reservation, '^(%S+) ?(.*)$')
  return tonumber(deadline), holds
end

local function everything()
  local flat = redis.call('HGETALL', key)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

local function emptied(holds)
  local kept = ''
  for slot, window in triples(holds) do
    kept = kept .. ' ' .. slot .. ' ' .. window .. ' 0'
  end
  return kept
end

-- Ends the leases that are over, which puts the subject in doubt, and forgets those that ended long ago. The rebuild
-- adds up anew what is held.
local function end_leases(now)
  local nearest, ended = nil, false
  for field, value in pairs(everything()) do
    if string.sub(field, 1, 2) == 'r:' then
      local deadline, holds = parsed(value)
      local due = deadline
      if deadline > 0 and deadline <= now then
        redis.call('HSET', key, field, '-' .. text(now) .. emptied(holds))
        ended, due = true, now + FORGET_MS
      elseif deadline < 0 then
        due = FORGET_MS - deadline
        if due <= now then
          redis.call('HDEL', key, field)
          due = nil
        end
      end
      if due and (not nearest or due < nearest) then
        nearest = due
      end
    end
  end
  if nearest then
    redis.call('HSET', key, 'next', text(nearest))
  else
    redis.call('HDEL', key, 'next')
  end
  if ended then
    redis.call('HSET', key, 'mark', '1')
  end
  return ended
end
