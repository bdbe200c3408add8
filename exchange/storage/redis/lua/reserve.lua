#!lua flags=
-- KEYS: done
-- ARGV: sid ttl_ms
-- Reserves a message id for a session, unless its first reply was kept: then that is the answer.
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 1, 1) == '=' then
  return {'kept', string.sub(value, 2)}
end
redis.call('SET', KEYS[1], '?' .. ARGV[1], 'PX', ARGV[2])
return {'reserved', ''}
