#!lua flags=
-- KEYS: invite
-- ARGV: uid life_ms record_ms for confirm
-- Opens an invitation if its code is free, or is open for this user on these terms and so a repeat.
-- The record outlives it (DEL-44).
local uid, life_ms, record_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local for_name, confirm = ARGV[4], ARGV[5]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local inviter, expires_ms, nonce, found_for, found_confirm =
  unpack(redis.call('HMGET', KEYS[1], 'uid', 'expires_ms', 'nonce', 'for', 'confirm'))
if inviter == uid and tonumber(expires_ms) > now_ms and not nonce
  and found_for == for_name and found_confirm == confirm then
  return 'open'
elseif inviter then
  return 'collision'
end
redis.call('HSET', KEYS[1], 'uid', uid, 'expires_ms', now_ms + life_ms, 'for', for_name, 'confirm', confirm)
redis.call('PEXPIRE', KEYS[1], record_ms)
return 'open'
