#!lua flags=allow-oom
-- KEYS: meta links wake
-- ARGV: peer connection stamp
-- Notes that a persistent friend is not here and tells the user's node, unless that or something newer is known.
local meta, links, wake = unpack(KEYS)
local peer, connection, stamp = ARGV[1], ARGV[2], tonumber(ARGV[3])
local VERSION, CONNECTION, WAITING, PERSIST, STAMP = 1, 2, 6, 7, 11

local record = redis.call('HGET', links, peer)
local link = record and cmsgpack.unpack(record)
if not link or link[1] ~= VERSION or link[CONNECTION] ~= connection then
  return 'absent'
elseif link[WAITING] or not link[PERSIST] or stamp < link[STAMP] then
  return 'kept'
end

local prev = tonumber(redis.call('HGET', meta, 'lrev') or 0)
link[WAITING], link[STAMP] = true, stamp
redis.call('HSET', meta, 'lrev', prev + 1)
redis.call('HSET', links, peer, cmsgpack.pack(link))
redis.call('PUBLISH', wake, 'L' .. cmsgpack.pack({prev + 1, prev, true, peer, unpack(link, CONNECTION, STAMP)}))
return 'marked'
