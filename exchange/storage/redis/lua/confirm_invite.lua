#!lua flags=
-- KEYS: invite
-- ARGV: uid name
-- Notes whom the inviter agreed to, if this user has such an open invitation.
local inviter, expires_ms = unpack(redis.call('HMGET', KEYS[1], 'uid', 'expires_ms'))
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if inviter ~= ARGV[1] or now_ms >= tonumber(expires_ms) then
  return 'absent'
end
redis.call('HSET', KEYS[1], 'confirmed', ARGV[2])
return 'confirmed'
