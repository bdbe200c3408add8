#!lua flags=allow-oom
-- KEYS: user meta mailbox sessions links shares tries fates
-- ARGV: sid count
-- Ends the mail past its time among the oldest. Answers when to look again, 0 for never.
-- While there is a session only that one may ask: what it was given must not end here as well.
local user, meta, mailbox, sessions, links, shares, tries, fates = unpack(KEYS)
local sid, count = ARGV[1], tonumber(ARGV[2])
local VERSION, LETTER, FIRST_NOTICE, STEP, AGAIN_MS, FORGET_SECONDS = 1, 2 ^ 36, 3, 8, 60000, 3600
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local away = redis.call('EXISTS', sessions) == 0
if not away and redis.call('HEXISTS', sessions, sid) == 0 then
  return now_ms + AGAIN_MS
end

local from, next_ms, old = '-', 0, {}
repeat
  local entries = redis.call('XRANGE', mailbox, from, '+', 'COUNT', math.min(STEP, count))
  for _, entry in ipairs(entries) do
    local offset, letter = entry[1], entry[2]
    local until_ms = tonumber(letter[8])
    if until_ms <= now_ms then
      old[#old + 1] =
        {offset = offset, sender = letter[2], id = letter[4], kind = tonumber(letter[6]), size = #letter[12]}
    elseif next_ms == 0 or until_ms < next_ms then
      next_ms = until_ms
    end
    from = '(' .. offset
  end
  count = count - #entries
until count <= 0 or #entries < STEP
if #old == 0 then
  return next_ms
end

local left = redis.call('XLEN', mailbox) - #old
-- Links that outlive sessions are persistent. Without them nothing but what was counted here is left of an absent user.
local forgotten = left == 0 and away and redis.call('EXISTS', links) == 0
local shared, bytes = redis.call('HGET', meta, 'shared'), 0
for _, letter in ipairs(old) do
  bytes = bytes + letter.size
  redis.call('XDEL', mailbox, letter.offset)
  redis.call('HDEL', tries, letter.offset)
  if shared and redis.call('HINCRBY', shares, letter.sender, -(LETTER + letter.size)) <= 0 then
    redis.call('HDEL', shares, letter.sender)
  end
  if letter.kind < FIRST_NOTICE then
    local fate = cmsgpack.pack({VERSION, 'expired', letter.kind, letter.sender, letter.id})
    redis.call('HSET', fates, letter.offset, fate)
  end
end
redis.call('HINCRBY', meta, 'count', -#old)
redis.call('HINCRBY', meta, 'bytes', -bytes)
if forgotten then
  redis.call('EXPIRE', user, FORGET_SECONDS)
  redis.call('EXPIRE', meta, FORGET_SECONDS)
  redis.call('EXPIRE', mailbox, FORGET_SECONDS)
end
return (left > 0 and next_ms == 0) and now_ms or next_ms
