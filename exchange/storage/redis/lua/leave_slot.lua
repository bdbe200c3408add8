#!lua flags=allow-oom
-- KEYS: pair slot slot slot_wake
-- ARGV: sid
-- Frees a slot if the session is still the current one of it, and tells the peer (CORAL-14). Slots come as its own and the
-- peer's, the channel is the peer's. The number stays: later ones are larger. Without its pair it stays for a day only.
local DAY_MS = 86400000
if redis.call('HGET', KEYS[2], 'sid') ~= ARGV[1] then
  return 'stale'
end
local peer_number, peer_sid = unpack(redis.call('HMGET', KEYS[3], 'number', 'sid'))
local known = redis.call('EXISTS', KEYS[1]) == 1
redis.call('HDEL', KEYS[2], 'sid', 'node', 'busy', 'since_ms', 'replaced', 'replaced_ms')
if not known then
  redis.call('PEXPIRE', KEYS[2], DAY_MS)
end
if peer_sid then
  redis.call('PUBLISH', KEYS[4], 'D' .. peer_number)
end
return 'left'
