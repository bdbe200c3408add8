#!lua flags=
-- KEYS: user
-- ARGV: profile
-- Changes how a user is described. Writing to one that was forgotten would leave a key that never runs out.
local name, nick, features, status, capabilities = unpack(cmsgpack.unpack(ARGV[1]))
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'unknown'
end
redis.call('HSET', KEYS[1], 'name', name, 'nick', nick, 'features', features, 'status', status,
  'capabilities', capabilities)
return 'described'
