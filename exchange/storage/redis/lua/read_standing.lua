#!lua flags=no-writes
-- KEYS: user sessions
-- ARGV:
-- Reads whether a user is here as of one moment. Answers {name, nick, sessions, left_ms}, or nothing if it is unknown.
local name, nick, left_ms = unpack(redis.call('HMGET', KEYS[1], 'name', 'nick', 'left_ms'))
if not name then
  return {}
end
return {name, nick, redis.call('HLEN', KEYS[2]), tonumber(left_ms or 0)}
