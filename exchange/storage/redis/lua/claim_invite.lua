#!lua flags=
-- KEYS: invite
-- ARGV: redeemer nonce claim_ms
-- Takes an open invitation for one redeem. A claim that lapsed unsettled leaves it to its redeemer alone.
local redeemer, nonce, claim_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local expires_ms, holder, held, claim_ends_ms =
  unpack(redis.call('HMGET', KEYS[1], 'expires_ms', 'redeemer', 'nonce', 'claim_ends_ms'))
if not expires_ms then
  return 'unknown'
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local lapsed = held and now_ms >= tonumber(claim_ends_ms)
if held == nonce and holder == redeemer and not lapsed then
  return 'claimed'
elseif now_ms >= tonumber(expires_ms) then
  return 'expired'
elseif held and not lapsed then
  return 'busy'
elseif held and holder ~= redeemer then
  return 'unknown'
end
redis.call('HSET', KEYS[1], 'redeemer', redeemer, 'nonce', nonce, 'claim_ends_ms', now_ms + claim_ms)
return 'claimed'
