#!lua flags=allow-oom
-- KEYS: meta links ended wake
-- ARGV: peer connection keep_ms
-- Removes a link if it is this connection and tells its user's node; forgets one that was only set aside.
local meta, links, ended, wake = unpack(KEYS)
local peer, connection, keep_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local VERSION = 1

local function read(key)
  local record = redis.call('HGET', key, peer)
  local link = record and cmsgpack.unpack(record)
  return link and link[1] == VERSION and link[2] == connection and link
end

local link = read(links)
if not link then
  local kept = read(ended)
  local aside = kept and kept[8]
  if aside then
    redis.call('HDEL', ended, peer)
    return 'forgotten'
  end
  return 'absent'
end

local _, _, name, nick, made, waiting = unpack(link)
local prev = tonumber(redis.call('HGET', meta, 'lrev') or 0)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local kept_ms = redis.call('PTTL', ended)
redis.call('HDEL', links, peer)
redis.call('HSET', meta, 'lrev', prev + 1)
if keep_ms > 0 then
  local record = cmsgpack.pack({VERSION, connection, name, nick, made, waiting, now_ms + keep_ms, false})
  redis.call('HSET', ended, peer, record)
  redis.call('PEXPIRE', ended, math.max(keep_ms, kept_ms))
end
redis.call('PUBLISH', wake, 'U' .. cmsgpack.pack({prev + 1, prev, peer, connection}))
return 'removed'
