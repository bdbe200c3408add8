#!lua flags=allow-oom
-- KEYS: user meta sessions links ended mailbox
-- ARGV: sid grace_ms
-- Removes a session. With the last one all plain links of its user end, and wait for it during the grace.
-- Answers {ended, staying, stamp, belongings, mail_until_ms}, or nothing if it was not the last one.
-- A repeat gets the same again, without the links that stand once more.
local user, meta, sessions, links, ended, mailbox = unpack(KEYS)
local sid, grace_ms = ARGV[1], tonumber(ARGV[2])
local VERSION, FORGET_SECONDS = 1, 3600
local CONNECTION, PERSIST, ENDS_MS, ASIDE = 2, 7, 13, 14

local left_sid, left_links, left_stamp = unpack(redis.call('HMGET', user, 'left_sid', 'left_links', 'left_stamp'))
local present = redis.call('HEXISTS', sessions, sid) == 1
if present and redis.call('HLEN', sessions) > 1 then
  redis.call('HDEL', sessions, sid)
  return {}
elseif not present and left_sid ~= sid then
  return {}
end

local plain, staying, unknown = {}, {}, false
local entries = redis.call('HGETALL', links)
for i = 1, #entries, 2 do
  local link = cmsgpack.unpack(entries[i + 1])
  local kind = link[PERSIST] and staying or plain
  if link[1] == VERSION then
    kind[#kind + 1] = entries[i]
    kind[#kind + 1] = entries[i + 1]
  else
    -- A newer release left it: it alone knows whether it stays.
    unknown = true
  end
end
local first = redis.call('XRANGE', mailbox, '-', '+', 'COUNT', 1)[1]
local mail_until_ms = 0
for i = 1, first and #first[2] or 0, 2 do
  if first[2][i] == 'x' then
    mail_until_ms = tonumber(first[2][i + 1])
  end
end
local belongings = #staying > 0 or unknown or first

if not present then
  local before, gone = cmsgpack.unpack(left_links), {}
  for i = 1, #before, 2 do
    local stands = redis.call('HGET', links, before[i])
    if not (stands and cmsgpack.unpack(stands)[CONNECTION] == cmsgpack.unpack(before[i + 1])[CONNECTION]) then
      gone[#gone + 1] = before[i]
      gone[#gone + 1] = before[i + 1]
    end
  end
  return {gone, staying, tonumber(left_stamp), belongings and 1 or 0, mail_until_ms}
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now_us = time[1] * 1000000 + time[2]
local stamp = math.max(now_us, tonumber(redis.call('HGET', meta, 'gen') or 0) + 1)
local kept_ms = redis.call('PTTL', ended)
local gen = string.format('%.0f', stamp)

redis.call('DEL', sessions)
for i = 1, #plain, 2 do
  redis.call('HDEL', links, plain[i])
  if grace_ms > 0 then
    local link = cmsgpack.unpack(plain[i + 1])
    link[ENDS_MS], link[ASIDE] = now_ms + grace_ms, false
    redis.call('HSET', ended, plain[i], cmsgpack.pack(link))
  end
end
if #plain > 0 then
  redis.call('HINCRBY', meta, 'lrev', 1)
  if grace_ms > 0 then
    redis.call('PEXPIRE', ended, math.max(grace_ms, kept_ms))
  end
end
redis.call('HSET', meta, 'gen', gen)
redis.call('HSET', user, 'left_ms', now_ms, 'left_sid', sid, 'left_links', cmsgpack.pack(plain), 'left_stamp', gen)
if not belongings then
  redis.call('EXPIRE', user, FORGET_SECONDS)
  redis.call('EXPIRE', meta, FORGET_SECONDS)
  redis.call('EXPIRE', mailbox, FORGET_SECONDS)
end
return {plain, staying, stamp, belongings and 1 or 0, mail_until_ms}
