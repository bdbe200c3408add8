#!lua flags=allow-oom
-- KEYS: invite
-- ARGV: uid nonce commit
-- Ends a claim: its code is used up, or open again.
local uid, nonce, commit = unpack(ARGV)
local inviter, held = unpack(redis.call('HMGET', KEYS[1], 'uid', 'nonce'))
if not inviter then
  return 'gone'
elseif inviter ~= uid or held ~= nonce then
  return 'other'
end
if commit == '1' then
  redis.call('DEL', KEYS[1])
  return 'used'
end
redis.call('HDEL', KEYS[1], 'redeemer', 'nonce', 'claim_ends_ms')
return 'open'
