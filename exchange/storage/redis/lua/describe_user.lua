#!lua flags=
-- KEYS: user meta
-- ARGV: profile generation
-- Changes how a user is described, unless a session of a later generation has described it.
-- Writing to one that was forgotten would leave a key that never runs out.
local name, nick, features, status, capabilities = unpack(cmsgpack.unpack(ARGV[1]))
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'unknown'
elseif tonumber(redis.call('HGET', KEYS[2], 'gen') or 0) > tonumber(ARGV[2]) then
  return 'old'
end
redis.call('HSET', KEYS[1], 'name', name, 'nick', nick, 'features', features, 'status', status,
  'capabilities', capabilities)
return 'described'
