#!lua flags=no-writes
-- KEYS: user sessions links mailbox
-- ARGV:
-- Reads whether a user is here as of one moment.
-- Answers {name, nick, features, sessions, left_ms, belongings}, or nothing if it is unknown.
local user, sessions, links, mailbox = unpack(KEYS)
local VERSION, PERSIST = 1, 7
local name, nick, features, left_ms = unpack(redis.call('HMGET', user, 'name', 'nick', 'features', 'left_ms'))
if not name then
  return {}
end
local belongings = redis.call('XLEN', mailbox) > 0
for _, record in ipairs(redis.call('HVALS', links)) do
  local link = cmsgpack.unpack(record)
  belongings = belongings or link[1] ~= VERSION or link[PERSIST]
end
return {name, nick, features, redis.call('HLEN', sessions), tonumber(left_ms or 0), belongings and 1 or 0}
