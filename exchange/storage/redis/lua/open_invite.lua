#!lua flags=
-- KEYS: invite
-- ARGV: uid life_ms record_ms
-- Opens an invitation if its code is free. The record outlives it, so that expired can be told from unknown (DEL-44).
local uid, life_ms, record_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'collision'
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'uid', uid, 'expires_ms', now_ms + life_ms)
redis.call('PEXPIRE', KEYS[1], record_ms)
return 'open'
