#!lua flags=
-- KEYS: user meta sessions links ended mailbox wake
-- ARGV: sid node dialect profile takeover
-- Enters a session, with `takeover` in the place of all others, and brings back the links that wait for its user.
-- Answers {generation, rev, links, restored, waiting, mail}; mail is {epoch, last, acked, count} as far as it is known.
-- A repeat from the same node changes nothing and gets the same answer; after a fence the node is another one.
local user, meta, sessions, links, ended, mailbox, wake = unpack(KEYS)
local sid, node, dialect, profile, takeover = unpack(ARGV)
local VERSION = 1
local MADE, UNSEEN, ENDS_MS, ASIDE = 5, 12, 13, 14

local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local generation = tonumber(redis.call('HGET', meta, 'gen') or 0)
local rev = tonumber(redis.call('HGET', meta, 'lrev') or 0)
local left_sid = redis.call('HGET', user, 'left_sid')
local mail = redis.call('HMGET', meta, 'epoch', 'last', 'acked', 'count')

local record = redis.call('HGET', sessions, sid)
local session = record and cmsgpack.unpack(record)
if session and session[1] == VERSION and session[3] == node then
  return {session[2], rev, redis.call('HGETALL', links), session[5], session[6], mail}
end

local displaced = {}
if takeover == '1' then
  for _, other in ipairs(redis.call('HKEYS', sessions)) do
    if other ~= sid then
      displaced[#displaced + 1] = other
    end
  end
end

local seen, waiting = {}, {}
local entries = redis.call('HGETALL', links)
for i = 1, #entries, 2 do
  local link = cmsgpack.unpack(entries[i + 1])
  if link[1] == VERSION and link[UNSEEN] then
    link[UNSEEN] = false
    seen[#seen + 1] = {peer = entries[i], link = link}
    waiting[#waiting + 1] = entries[i]
  end
end

local back = {}
entries = redis.call('HGETALL', ended)
for i = 1, #entries, 2 do
  local link = cmsgpack.unpack(entries[i + 1])
  -- A link that stands meanwhile is younger than the one that was kept.
  if link[1] == VERSION and link[ENDS_MS] * 1000 > now_us and redis.call('HEXISTS', links, entries[i]) == 0 then
    back[#back + 1] = {peer = entries[i], link = link}
  end
end
-- They count as made now and keep their order among themselves.
table.sort(back, function(a, b)
  if a.link[MADE] ~= b.link[MADE] then
    return a.link[MADE] < b.link[MADE]
  elseif a.link[ENDS_MS] ~= b.link[ENDS_MS] then
    return a.link[ENDS_MS] < b.link[ENDS_MS]
  end
  return a.peer < b.peer
end)
local restored = {}
for _, entry in ipairs(back) do
  local link = entry.link
  rev = rev + 1
  restored[#restored + 1] = entry.peer
  if link[ASIDE] then
    waiting[#waiting + 1] = entry.peer
  end
  link[MADE], link[UNSEEN], link[ENDS_MS], link[ASIDE] = rev, false, nil, nil
end

generation = math.max(now_us, generation + 1)
local name, nick, features, status, capabilities = unpack(cmsgpack.unpack(profile))
for _, changed in ipairs({seen, back}) do
  for _, entry in ipairs(changed) do
    redis.call('HSET', links, entry.peer, cmsgpack.pack(entry.link))
  end
end
redis.call('DEL', ended)
redis.call('HSET', user, 'name', name, 'nick', nick, 'features', features, 'status', status,
  'capabilities', capabilities)
redis.call('HDEL', user, 'left_ms')
if left_sid == sid then
  -- This session goes on: its end was none.
  redis.call('HDEL', user, 'left_sid')
end
redis.call('HSET', meta, 'gen', string.format('%.0f', generation), 'lrev', rev)
redis.call('HSET', sessions, sid, cmsgpack.pack({VERSION, generation, node, dialect, restored, waiting}))
redis.call('PERSIST', user)
redis.call('PERSIST', meta)
redis.call('PERSIST', links)
redis.call('PERSIST', mailbox)
for _, other in ipairs(displaced) do
  redis.call('HDEL', sessions, other)
end
if #displaced > 0 then
  redis.call('PUBLISH', wake, 'R' .. cmsgpack.pack({sid}))
end
return {generation, rev, redis.call('HGETALL', links), restored, waiting, mail}
