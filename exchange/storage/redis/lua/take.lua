#!lua flags=allow-oom
-- KEYS: bucket
-- ARGV: per_minute burst cost
-- Takes `cost` tokens (1) or gives them back (-1), after refilling the bucket by the time that went by.
-- Tokens are counted in parts, 60,000 to a token: one millisecond adds `per_minute` of them, so all sums are whole.
local PARTS = 60000
local per_minute, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at_ms')
local full = burst * PARTS
local tokens = full
if bucket[1] then
  local gone_ms = math.max(0, now_ms - tonumber(bucket[2]))
  tokens = math.min(full, tonumber(bucket[1]) + gone_ms * per_minute)
end
local left = math.min(full, tokens - cost * PARTS)
if left < 0 then
  return {'wait', math.ceil(-left / per_minute)}
end
if left == full then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'tokens', left, 'at_ms', now_ms)
  redis.call('PEXPIRE', KEYS[1], math.ceil((full - left) / per_minute))
end
return {'ok', 0}
