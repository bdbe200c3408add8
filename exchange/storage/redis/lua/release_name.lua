#!lua flags=allow-oom
-- KEYS: name
-- ARGV: sid grace_ms keep_ms
-- Lets go of a name if this session holds it. During the grace its uid waits for the address that claimed it; if a token
-- was issued it waits for the token, as long as it is kept, and 0 is without end.
local sid, grace_ms, keep_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local holder, token = unpack(redis.call('HMGET', KEYS[1], 'holder', 'token'))
if holder ~= sid then
  return 'not_holder'
end
local guarded = token and token ~= ''
local kept_ms = guarded and keep_ms or grace_ms
if not guarded and kept_ms <= 0 then
  redis.call('DEL', KEYS[1])
  return 'released'
end
redis.call('HSET', KEYS[1], 'holder', '', 'node', '')
if kept_ms > 0 then
  redis.call('PEXPIRE', KEYS[1], kept_ms)
end
return 'released'
