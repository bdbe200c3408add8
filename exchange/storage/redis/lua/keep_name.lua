#!lua flags=allow-oom
-- KEYS: name
-- ARGV: uid
-- Lets a name that nobody holds wait for its owner's token without end.
local uid, holder, token = unpack(redis.call('HMGET', KEYS[1], 'uid', 'holder', 'token'))
if uid ~= ARGV[1] or holder ~= '' or not token or token == '' then
  return 'other'
end
redis.call('PERSIST', KEYS[1])
return 'kept'
