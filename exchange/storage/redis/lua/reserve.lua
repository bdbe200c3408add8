#!lua flags=
-- KEYS: done
-- ARGV: sid digest ttl_ms
-- Reserves a message id for a session and a request. If its first reply was kept, that is the answer.
local sid, digest = ARGV[1], ARGV[2]
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 2, 17) ~= digest then
  return {'reused', ''}
elseif value and string.sub(value, 1, 1) == '=' then
  return {'kept', string.sub(value, 18)}
end
redis.call('SET', KEYS[1], '?' .. digest .. sid, 'PX', ARGV[3])
return {'reserved', ''}
