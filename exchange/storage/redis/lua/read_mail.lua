#!lua flags=no-writes
-- KEYS: meta mailbox
-- ARGV: after count bytes
-- Reads part of a mailbox and where it stands, as of one moment. Answers {state, entries, more}.
-- Small steps, because each brings whole envelopes into the memory of this script.
local meta, mailbox = KEYS[1], KEYS[2]
local after, count, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local STEP = 8
local state = redis.call('HMGET', meta, 'epoch', 'last', 'acked', 'count')
local page, used = {}, 0
while true do
  local entries = redis.call('XRANGE', mailbox, '(' .. after, '+', 'COUNT', STEP)
  for _, entry in ipairs(entries) do
    local size = #entry[2][12]
    if #page == count or (#page > 0 and used + size > bytes) then
      return {state, page, 1}
    end
    page[#page + 1] = entry
    used = used + size
  end
  if #entries < STEP then
    return {state, page, 0}
  end
  after = entries[#entries][1]
end
