#!lua flags=
-- KEYS: links meta mailbox shares seen seen wake
-- ARGV: sender id envelope digest until_ms terms
-- Stores an envelope at the end of a mailbox and wakes whoever listens, in one step. Answers 'word offset nodes'.
-- The hot path: what it costs is the number of commands it calls.
-- Repeats are known by two hashes. The younger one takes the place of the older one when it is old or full, so whatever
-- is in neither was stored longer ago than has to be known. Shares are not counted while little waits; each is one
-- number: bytes, and 2^36 for each letter.
local links, meta, mailbox, shares, younger, older, wake = unpack(KEYS)
local sender, id, envelope, digest, until_ms, terms = unpack(ARGV)
local kind, linked, most, most_bytes, share_most, share_bytes, inline_bytes, dedupe_ms, dedupe_count =
  struct.unpack('<ddddddddd', terms)
local LETTER, LITTLE_COUNT, LITTLE_BYTES, PACKED_COUNT, YOUNG_MS = 2 ^ 36, 64, 2 ^ 20, 64, 600000

if linked == 1 and redis.call('HEXISTS', links, sender) == 0 then
  return 'not_linked'
end
local epoch, last, count, bytes, seen, turned_ms, turned, shared =
  unpack(redis.call('HMGET', meta, 'epoch', 'last', 'count', 'bytes', 'seen', 'turned_ms', 'turned', 'shared'))
local field = id ~= '' and sender .. ':' .. id
local known = field and (redis.call('HGET', younger, field) or (turned and redis.call('HGET', older, field)))
if known then
  local place, before = string.match(known, '^(%S+ %d+) (.*)$')
  return before == digest and 'duplicate ' .. place or 'conflict'
elseif until_ms == '0' then
  return 'late'
end
local size = #envelope
count, bytes, seen = (count or 0) + 1, (bytes or 0) + size, tonumber(seen or 0)
if count > most or bytes > most_bytes then
  return 'full'
end
local crowded = count > share_most or bytes > share_bytes
local counted = not shared and (crowded or count > LITTLE_COUNT or bytes > LITTLE_BYTES) and {}
if counted then
  for _, entry in ipairs(redis.call('XRANGE', mailbox, '-', '+')) do
    counted[entry[2][2]] = (counted[entry[2][2]] or 0) + LETTER + #entry[2][12]
  end
end
if crowded then
  local share = counted and counted[sender] or shared and redis.call('HGET', shares, sender)
  if share and (math.floor(share / LETTER) + 1 > share_most or share % LETTER + size > share_bytes) then
    return 'full'
  end
end

if not epoch then
  local time = redis.call('TIME')
  epoch, last = string.format('%.0f', time[1] * 1000000 + time[2]), '0-0'
  redis.call('HSET', meta, 'epoch', epoch, 'acked', last)
end
if linked == 0 then
  -- What a link keeps a notice has to keep for itself.
  redis.call('PERSIST', meta)
  redis.call('PERSIST', mailbox)
end
local offset = redis.call(
  'XADD', mailbox, '*', 'f', sender, 'i', id, 'k', kind, 'x', until_ms, 'p', last, 'b', envelope)
local inline = size <= inline_bytes and envelope or ''
local place = offset .. ' ' .. redis.call('PUBLISH', wake, 'M' .. epoch .. ' ' .. last .. ' ' .. offset .. ' ' .. inline)
if field then
  local now_ms = tonumber(string.match(offset, '^%d+'))
  local age_ms = now_ms - (turned_ms or now_ms)
  if age_ms >= dedupe_ms or (seen >= dedupe_count and age_ms >= YOUNG_MS) then
    if redis.call('EXISTS', younger) == 1 then
      redis.call('RENAME', younger, older)
    end
    redis.call('HSET', meta, 'turned', 1)
    seen = 0
  end
  redis.call('HSET', younger, field, place .. ' ' .. digest)
  seen = seen + 1
  if seen == 1 then
    redis.call('PEXPIRE', younger, 2 * dedupe_ms)
    redis.call('HSET', meta, 'turned_ms', now_ms)
  elseif seen == PACKED_COUNT then
    -- A long value makes the server keep a table. It would go through a packed hash of hundreds entry by entry.
    redis.call('HSET', younger, '', string.rep('.', 65))
  end
end
redis.call('HSET', meta, 'last', offset, 'count', count, 'bytes', bytes, 'seen', seen)
if counted then
  for other, share in pairs(counted) do
    redis.call('HSET', shares, other, share)
  end
  redis.call('HSET', meta, 'shared', 1)
end
if shared or counted then
  redis.call('HINCRBY', shares, sender, LETTER + size)
end
return 'stored ' .. place
