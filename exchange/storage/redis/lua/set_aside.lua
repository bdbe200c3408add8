#!lua flags=
-- KEYS: meta ended
-- ARGV: peer record keep_ms
-- Keeps a link for a user who is away. It counts as younger than those that the user left with.
local meta, ended = KEYS[1], KEYS[2]
local peer, keep_ms = ARGV[1], tonumber(ARGV[3])
local MADE, ENDS_MS, ASIDE = 5, 13, 14
local link = cmsgpack.unpack(ARGV[2])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local kept_ms = redis.call('PTTL', ended)
link[MADE] = tonumber(redis.call('HGET', meta, 'lrev') or 0) + 1
link[ENDS_MS], link[ASIDE] = now_ms + keep_ms, true
redis.call('HSET', ended, peer, cmsgpack.pack(link))
redis.call('PEXPIRE', ended, math.max(keep_ms, kept_ms))
return 'kept'
