#!lua flags=
-- KEYS: pair
-- ARGV: shown ttl_ms
-- Makes a pair, for `ttl_ms` or, with 0, for ever. One that is there stays as it is.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'kept'
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'created_ms', time[1] * 1000 + math.floor(time[2] / 1000), 'shown', ARGV[1])
if ARGV[2] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 'made'
