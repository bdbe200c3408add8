#!lua flags=
-- KEYS: user meta sessions links ended
-- ARGV: sid node dialect name nick
-- Enters a session and brings back the links that wait for its user. Answers {generation, rev, links, restored, waiting}.
-- A repeat from the same node changes nothing and gets the same answer; after a fence the node is another one.
local user, meta, sessions, links, ended = unpack(KEYS)
local sid, node, dialect, name, nick = unpack(ARGV)
local VERSION = 1

local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local generation = tonumber(redis.call('HGET', meta, 'gen') or 0)
local rev = tonumber(redis.call('HGET', meta, 'lrev') or 0)

local record = redis.call('HGET', sessions, sid)
local session = record and cmsgpack.unpack(record)
if session and session[1] == VERSION and session[3] == node then
  return {session[2], rev, redis.call('HGETALL', links), session[5], session[6]}
end

local back = {}
local entries = redis.call('HGETALL', ended)
for i = 1, #entries, 2 do
  local link = cmsgpack.unpack(entries[i + 1])
  local ends_ms = link[7]
  -- A link that stands meanwhile is younger than the one that was kept.
  if link[1] == VERSION and ends_ms * 1000 > now_us and redis.call('HEXISTS', links, entries[i]) == 0 then
    back[#back + 1] = {peer = entries[i], link = link}
  end
end
-- They count as made now and keep their order among themselves.
table.sort(back, function(a, b)
  if a.link[5] ~= b.link[5] then
    return a.link[5] < b.link[5]
  elseif a.link[7] ~= b.link[7] then
    return a.link[7] < b.link[7]
  end
  return a.peer < b.peer
end)

generation = math.max(now_us, generation + 1)
local restored, waiting = {}, {}
for _, entry in ipairs(back) do
  local _, connection, link_name, link_nick, _, absent, _, aside = unpack(entry.link)
  rev = rev + 1
  redis.call('HSET', links, entry.peer, cmsgpack.pack({VERSION, connection, link_name, link_nick, rev, absent}))
  restored[#restored + 1] = entry.peer
  if aside then
    waiting[#waiting + 1] = entry.peer
  end
end
redis.call('DEL', ended)
redis.call('HSET', user, 'name', name, 'nick', nick)
redis.call('HDEL', user, 'left_ms')
redis.call('HSET', meta, 'gen', string.format('%.0f', generation), 'lrev', rev)
redis.call('HSET', sessions, sid, cmsgpack.pack({VERSION, generation, node, dialect, restored, waiting}))
redis.call('PERSIST', user)
redis.call('PERSIST', meta)
redis.call('PERSIST', links)
return {generation, rev, redis.call('HGETALL', links), restored, waiting}
