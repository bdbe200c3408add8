#!lua flags=
-- KEYS: meta sessions links ended wake
-- ARGV: peer record notice condition
-- Writes a link if the condition holds, and gives notice of it. Answers {word, connection, made, rev, prev}.
local meta, sessions, links, ended, wake = unpack(KEYS)
local peer, offered, notice, condition = unpack(ARGV)
local VERSION, FORGET_SECONDS = 1, 3600

local prev = tonumber(redis.call('HGET', meta, 'lrev') or 0)
local here = redis.call('EXISTS', sessions) == 1
local present = redis.call('HGET', links, peer)
local old = present and cmsgpack.unpack(present)
if old and old[1] ~= VERSION then
  old = nil
end
local _, connection, name, nick, made, waiting = unpack(cmsgpack.unpack(offered))
if (condition == 'here' and not here) or (condition == 'linked' and not (old and old[2] == connection)) then
  return {'absent', connection, made, prev, prev}
end

local rev = prev + 1
made = condition == 'linked' and old[5] or rev
connection = old and old[2] or connection
local record = cmsgpack.pack({VERSION, connection, name, nick, made, waiting})
redis.call('HSET', meta, 'lrev', rev)
redis.call('HSET', links, peer, record)
-- What was kept for this peer is older than what stands now.
redis.call('HDEL', ended, peer)
if not here then
  redis.call('EXPIRE', meta, FORGET_SECONDS)
  redis.call('EXPIRE', links, FORGET_SECONDS)
end
if notice ~= '' then
  local linked = {rev, prev, notice == 'announce', peer, connection, name, nick, made, waiting}
  redis.call('PUBLISH', wake, 'L' .. cmsgpack.pack(linked))
end
return {old and 'kept' or 'added', connection, made, rev, prev}
