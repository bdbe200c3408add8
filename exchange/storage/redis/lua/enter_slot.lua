#!lua flags=
-- KEYS: pair slot slot used used slot_wake slot_wake
-- ARGV: sid node
-- Makes a session the current one of its slot (CORAL-24). Slots and channels come as its own and the peer's, usage as the
-- day's and the month's. Answers {word, number, paired, used today, used this month, replaced in the running minute}.
-- The peer is told in the same step, so what the newcomer sends comes later (CORAL-11); and so are older ends of the slot.
-- A repeat changes nothing and gets the same answer.
local pair, own, peer, day, month, own_wake, peer_wake = unpack(KEYS)
local sid, node = unpack(ARGV)
local WINDOW_MS = 60000

if redis.call('EXISTS', pair) == 0 then
  return {'unknown'}
end
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)
local last, holder, count, since_ms = unpack(redis.call('HMGET', own, 'number', 'sid', 'replaced', 'replaced_ms'))
local peer_number, peer_sid = unpack(redis.call('HMGET', peer, 'number', 'sid'))
local used = redis.call('MGET', day, month)

local number = tonumber(last or 0)
count, since_ms = tonumber(count or 0), tonumber(since_ms or 0)
if now_ms - since_ms >= WINDOW_MS then
  count, since_ms = 0, 0
end
if holder ~= sid then
  if holder then
    count = count + 1
    since_ms = count == 1 and now_ms or since_ms
  end
  number = math.max(now_us, number + 1)
  local text = string.format('%.0f', number)
  redis.call('HSET', own, 'number', text, 'sid', sid, 'node', node, 'since_ms', now_ms,
    'replaced', count, 'replaced_ms', since_ms)
  redis.call('HDEL', own, 'busy')
  redis.call('PERSIST', own)
  if peer_sid then
    redis.call('PUBLISH', peer_wake, 'U' .. peer_number)
  end
  redis.call('PUBLISH', own_wake, 'S' .. text)
end
return {'entered', number, peer_sid and 1 or 0, tonumber(used[1] or 0), tonumber(used[2] or 0), count}
