#!lua flags=allow-oom
-- KEYS: meta mailbox shares tries
-- ARGV: upto epoch
-- Removes mail up to an offset. An emptied stream stays, because it remembers its newest id: no offset is used twice.
local meta, mailbox, shares, tries = unpack(KEYS)
local upto, epoch = unpack(ARGV)
local STEP, LETTER = 32, 2 ^ 36
local current, last, acked, count, bytes, shared =
  unpack(redis.call('HMGET', meta, 'epoch', 'last', 'acked', 'count', 'bytes', 'shared'))
if (current or '') ~= epoch then
  return 'stale'
elseif not current or acked == last then
  return 'acked'
end

local function parts(offset)
  local ms, number = string.match(offset, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(number)
end

local function after(offset, other)
  local ms, number = parts(offset)
  local other_ms, other_number = parts(other)
  return ms > other_ms or (ms == other_ms and number > other_number)
end

if upto == last or after(upto, last) then
  redis.call('XTRIM', mailbox, 'MAXLEN', 0)
  redis.call('DEL', shares, tries)
  redis.call('HSET', meta, 'acked', last, 'count', 0, 'bytes', 0)
  if shared then
    redis.call('HDEL', meta, 'shared')
  end
  return 'acked'
elseif not after(upto, acked) then
  return 'acked'
end

local from, newest, given = '-', nil, {}
local tried = redis.call('EXISTS', tries) == 1
repeat
  local entries = redis.call('XRANGE', mailbox, from, upto, 'COUNT', STEP)
  for _, entry in ipairs(entries) do
    local sender, size = entry[2][2], #entry[2][12]
    newest, count, bytes = entry[1], count - 1, bytes - size
    given[sender] = (given[sender] or 0) + LETTER + size
    if tried then
      redis.call('HDEL', tries, newest)
    end
  end
  from = newest and '(' .. newest
until #entries < STEP
if newest then
  local ms, number = parts(newest)
  redis.call('XTRIM', mailbox, 'MINID', string.format('%.0f-%.0f', ms, number + 1))
  for sender, share in pairs(shared and given or {}) do
    if redis.call('HINCRBY', shares, sender, -share) <= 0 then
      redis.call('HDEL', shares, sender)
    end
  end
end
redis.call('HSET', meta, 'acked', upto, 'count', count, 'bytes', bytes)
return 'acked'
