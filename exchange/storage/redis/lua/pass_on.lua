#!lua flags=allow-oom
-- KEYS: slot slot bucket used used slot_wake
-- ARGV: number frame back terms
-- Sends a frame of the end `number` to the peer's current end and answers with a word what became of it. Slots come as its
-- own and the peer's, usage as the day's and the month's, the channel is the peer's. The order of checks is CORAL-19's.
-- The hot path: what it costs is the number of commands it calls, and of a large frame the copies of it.
-- `terms` packs tokens a minute, burst, bytes a day and bytes a month. Tokens are counted in parts, as in take.lua.
local own, peer, bucket, day, month, wake = unpack(KEYS)
local number, frame, back, terms = unpack(ARGV)
local per_minute, burst, day_most, month_most = struct.unpack('<dddd', terms)
local PARTS, DAY_KEPT_SECONDS, MONTH_KEPT_SECONDS = 60000, 3 * 86400, 40 * 86400

local current, sid = unpack(redis.call('HMGET', own, 'number', 'sid'))
if current ~= number or not sid then
  return 'old'
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local tokens, at_ms = unpack(redis.call('HMGET', bucket, 'tokens', 'at_ms'))
local full = burst * PARTS
local filled = tokens and math.min(full, tokens + math.max(0, now_ms - at_ms) * per_minute) or full
local left = filled - PARTS
if left < 0 then
  return 'rate'
end
local used_day, used_month = unpack(redis.call('MGET', day, month))
local peer_number, peer_sid, busy = unpack(redis.call('HMGET', peer, 'number', 'sid', 'busy'))

redis.call('HSET', bucket, 'tokens', left, 'at_ms', now_ms)
redis.call('PEXPIRE', bucket, math.ceil((full - left) / per_minute))
if tonumber(used_day or 0) >= day_most then
  return 'day'
elseif tonumber(used_month or 0) >= month_most then
  return 'month'
elseif not peer_sid then
  return 'offline'
elseif busy then
  return 'busy'
elseif redis.call('PUBLISH', wake, 'F' .. peer_number .. ' ' .. back .. ' ' .. frame) == 0 then
  return 'offline'
end
redis.call('INCRBY', day, #frame)
redis.call('INCRBY', month, #frame)
if not used_day then
  redis.call('EXPIRE', day, DAY_KEPT_SECONDS)
end
if not used_month then
  redis.call('EXPIRE', month, MONTH_KEPT_SECONDS)
end
return 'passed'
