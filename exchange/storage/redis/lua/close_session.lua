#!lua flags=allow-oom
-- KEYS: user meta sessions links ended
-- ARGV: sid grace_ms
-- Removes a session. With the last one all links of its user end, and wait for it during the grace. Answers those links.
-- A repeat gets the same links again, without those that stand once more.
local user, meta, sessions, links, ended = unpack(KEYS)
local sid, grace_ms = ARGV[1], tonumber(ARGV[2])
local VERSION, FORGET_SECONDS = 1, 3600

if redis.call('HEXISTS', sessions, sid) == 0 then
  local left_sid, left_links = unpack(redis.call('HMGET', user, 'left_sid', 'left_links'))
  local before = left_sid == sid and cmsgpack.unpack(left_links) or {}
  local gone = {}
  for i = 1, #before, 2 do
    local stands = redis.call('HGET', links, before[i])
    if not (stands and cmsgpack.unpack(stands)[2] == cmsgpack.unpack(before[i + 1])[2]) then
      gone[#gone + 1] = before[i]
      gone[#gone + 1] = before[i + 1]
    end
  end
  return gone
elseif redis.call('HLEN', sessions) > 1 then
  redis.call('HDEL', sessions, sid)
  return {}
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local left_links = redis.call('HGETALL', links)
local kept_ms = redis.call('PTTL', ended)
local kept = {}
for i = 1, #left_links, 2 do
  local link = cmsgpack.unpack(left_links[i + 1])
  if link[1] == VERSION then
    local _, connection, name, nick, made, waiting = unpack(link)
    local record = cmsgpack.pack({VERSION, connection, name, nick, made, waiting, now_ms + grace_ms, false})
    kept[#kept + 1] = {peer = left_links[i], record = record}
  end
end

redis.call('DEL', sessions, links)
if #left_links > 0 then
  redis.call('HINCRBY', meta, 'lrev', 1)
end
if grace_ms > 0 and #kept > 0 then
  for _, link in ipairs(kept) do
    redis.call('HSET', ended, link.peer, link.record)
  end
  redis.call('PEXPIRE', ended, math.max(grace_ms, kept_ms))
end
redis.call('HSET', user, 'left_ms', now_ms, 'left_sid', sid, 'left_links', cmsgpack.pack(left_links))
redis.call('EXPIRE', user, FORGET_SECONDS)
redis.call('EXPIRE', meta, FORGET_SECONDS)
return left_links
