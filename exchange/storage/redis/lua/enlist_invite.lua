#!lua flags=
-- KEYS: invites
-- ARGV: code life_ms most
-- Lists an invitation among those its user has open, unless there are too many.
local code, life_ms, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local expires_ms = redis.call('ZSCORE', KEYS[1], code)
if expires_ms and tonumber(expires_ms) > now_ms then
  return 'listed'
elseif redis.call('ZCOUNT', KEYS[1], '(' .. now_ms, '+inf') >= most then
  return 'full'
end
local longest_ms = math.max(life_ms, redis.call('PTTL', KEYS[1]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
redis.call('ZADD', KEYS[1], now_ms + life_ms, code)
redis.call('PEXPIRE', KEYS[1], longest_ms)
return 'enlisted'
