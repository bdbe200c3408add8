#!lua flags=
-- KEYS: done
-- ARGV: sid digest reply ttl_ms
-- Keeps the first reply to a message id that this session has reserved for this request.
local sid, digest, reply = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', KEYS[1]) ~= '?' .. digest .. sid then
  return 'other'
end
redis.call('SET', KEYS[1], '=' .. digest .. reply, 'PX', ARGV[4])
return 'kept'
