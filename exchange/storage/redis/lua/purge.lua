#!lua flags=allow-oom
-- KEYS: meta mailbox shares tries
-- ARGV: sender after count
-- Removes the mail of one sender from part of a mailbox. Answers how much, and where to go on ('' at the end).
local meta, mailbox, shares, tries = unpack(KEYS)
local sender, after, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
local LETTER = 2 ^ 36
local shared = redis.call('HGET', meta, 'shared')
local entries = redis.call('XRANGE', mailbox, '(' .. after, '+', 'COUNT', count)
local purged, bytes = {}, 0
for _, entry in ipairs(entries) do
  if entry[2][2] == sender then
    purged[#purged + 1] = entry[1]
    bytes = bytes + #entry[2][12]
  end
end
if #purged > 0 then
  redis.call('XDEL', mailbox, unpack(purged))
  redis.call('HDEL', tries, unpack(purged))
  redis.call('HINCRBY', meta, 'count', -#purged)
  redis.call('HINCRBY', meta, 'bytes', -bytes)
  if shared and redis.call('HINCRBY', shares, sender, -(LETTER * #purged + bytes)) <= 0 then
    redis.call('HDEL', shares, sender)
  end
end
return {#purged, #entries == count and entries[#entries][1] or ''}
