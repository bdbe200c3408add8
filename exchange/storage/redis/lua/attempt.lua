#!lua flags=allow-oom
-- KEYS: meta mailbox shares tries parked fates
-- ARGV: offset most
-- Counts an attempt to deliver a letter; beyond the most it is parked. Answers the number, 0 if the letter is not there.
local meta, mailbox, shares, tries, parked, fates = unpack(KEYS)
local offset, most = ARGV[1], tonumber(ARGV[2])
local VERSION, LETTER, FIRST_NOTICE = 1, 2 ^ 36, 3
local entry = redis.call('XRANGE', mailbox, offset, offset)[1]
if not entry then
  return 0
end
local letter = entry[2]
local sender, id, kind, size = letter[2], letter[4], tonumber(letter[6]), #letter[12]
local attempts = tonumber(redis.call('HGET', tries, offset) or 0) + 1
if attempts <= most then
  redis.call('HSET', tries, offset, attempts)
  return attempts
end
local share = tonumber(redis.call('HGET', shares, sender) or 0) - LETTER - size
redis.call('XADD', parked, '*', unpack(letter))
redis.call('XDEL', mailbox, offset)
redis.call('HDEL', tries, offset)
redis.call('HINCRBY', meta, 'count', -1)
redis.call('HINCRBY', meta, 'bytes', -size)
if share > 0 then
  redis.call('HSET', shares, sender, share)
else
  -- It had no other letter, or shares are not counted now.
  redis.call('HDEL', shares, sender)
end
if kind < FIRST_NOTICE then
  redis.call('HSET', fates, offset, cmsgpack.pack({VERSION, 'parked', kind, sender, id}))
end
return 0
