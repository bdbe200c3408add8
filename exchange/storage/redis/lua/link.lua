#!lua flags=
-- KEYS: user meta sessions links ended mailbox wake
-- ARGV: peer record notice condition
-- Writes a link if the condition holds, and gives notice of it.
-- Answers {word, connection, made, persist, stamp, rev, prev}.
local user, meta, sessions, links, ended, mailbox, wake = unpack(KEYS)
local peer, offered, notice, condition = unpack(ARGV)
local VERSION, FORGET_SECONDS = 1, 3600
local CONNECTION, MADE, PERSIST, STAMP, UNSEEN = 2, 5, 7, 11, 12

local prev = tonumber(redis.call('HGET', meta, 'lrev') or 0)
local here = redis.call('EXISTS', sessions) == 1
local lasting = redis.call('TTL', meta) == -1
local present = redis.call('HGET', links, peer)
local old = present and cmsgpack.unpack(present)
if old and old[1] ~= VERSION then
  old = nil
end
local link = cmsgpack.unpack(offered)

local function answer(word, rev)
  return {word, link[CONNECTION], link[MADE], link[PERSIST] and 1 or 0, link[STAMP], rev, prev}
end

local linked = old and old[CONNECTION] == link[CONNECTION] and old[STAMP] <= link[STAMP]
if (condition == 'here' and not here) or (condition == 'linked' and not linked) then
  return answer('absent', prev)
end

local rev = prev + 1
local announce = notice == 'announce'
if condition == 'linked' then
  link[MADE], link[PERSIST] = old[MADE], old[PERSIST]
else
  link[MADE] = rev
  link[CONNECTION] = old and old[CONNECTION] or link[CONNECTION]
  link[STAMP] = math.max(old and old[STAMP] or 0, link[STAMP])
end
local unseen = link[UNSEEN] or (old and old[UNSEEN])
link[UNSEEN] = (unseen and not (here and announce)) or false

redis.call('HSET', meta, 'lrev', rev)
redis.call('HSET', links, peer, cmsgpack.pack(link))
-- What was kept for this peer is older than what stands now.
redis.call('HDEL', ended, peer)
if link[PERSIST] then
  redis.call('PERSIST', user)
  redis.call('PERSIST', meta)
  redis.call('PERSIST', links)
  redis.call('PERSIST', mailbox)
elseif not here and not lasting then
  redis.call('EXPIRE', meta, FORGET_SECONDS)
  redis.call('EXPIRE', links, FORGET_SECONDS)
end
if notice ~= '' then
  redis.call('PUBLISH', wake, 'L' .. cmsgpack.pack({rev, prev, announce, peer, unpack(link, CONNECTION, STAMP)}))
end
return answer(old and 'kept' or 'added', rev)
