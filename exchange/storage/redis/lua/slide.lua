#!lua flags=
-- KEYS: stamps
-- ARGV: most window_ms
-- Counts something that may happen `most` times in any `window_ms`. Answers {word, milliseconds to wait}.
local most, window_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
if most < 1 then
  return {'wait', window_ms}
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local first_ms = redis.call('LINDEX', KEYS[1], -most)
if first_ms and tonumber(first_ms) > now_ms - window_ms then
  return {'wait', first_ms + window_ms - now_ms}
end
redis.call('RPUSH', KEYS[1], now_ms)
redis.call('LTRIM', KEYS[1], -most, -1)
redis.call('PEXPIRE', KEYS[1], window_ms)
return {'ok', 0}
