#!lua flags=allow-oom
-- KEYS: user meta sessions links ended mailbox wake
-- ARGV: peer connection keep_ms
-- Removes a link if it is this connection and tells its user's node; forgets one that was only set aside.
-- With the last link of somebody away the user runs out, unless there is mail.
local user, meta, sessions, links, ended, mailbox, wake = unpack(KEYS)
local peer, connection, keep_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local VERSION, FORGET_SECONDS, CONNECTION, ENDS_MS, ASIDE = 1, 3600, 2, 13, 14

local function read(key)
  local record = redis.call('HGET', key, peer)
  local link = record and cmsgpack.unpack(record)
  return link and link[1] == VERSION and link[CONNECTION] == connection and link
end

local link = read(links)
if not link then
  local kept = read(ended)
  if kept and kept[ASIDE] then
    redis.call('HDEL', ended, peer)
    return 'forgotten'
  end
  return 'absent'
end

local prev = tonumber(redis.call('HGET', meta, 'lrev') or 0)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local kept_ms = redis.call('PTTL', ended)
local here, mail = redis.call('EXISTS', sessions) == 1, redis.call('XLEN', mailbox) > 0
local last = redis.call('HLEN', links) == 1
redis.call('HDEL', links, peer)
redis.call('HSET', meta, 'lrev', prev + 1)
if keep_ms > 0 then
  link[ENDS_MS], link[ASIDE] = now_ms + keep_ms, false
  redis.call('HSET', ended, peer, cmsgpack.pack(link))
  redis.call('PEXPIRE', ended, math.max(keep_ms, kept_ms))
end
if last and not here and not mail then
  for _, key in ipairs({user, meta, mailbox}) do
    redis.call('EXPIRE', key, FORGET_SECONDS, 'NX')
  end
end
redis.call('PUBLISH', wake, 'U' .. cmsgpack.pack({prev + 1, prev, peer, connection}))
return 'removed'
