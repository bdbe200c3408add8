#!lua flags=allow-oom
-- KEYS: name
-- ARGV: sid grace_ms address
-- Lets go of a name if this session holds it. During the grace its uid waits for the same address.
local sid, grace_ms, address = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('HGET', KEYS[1], 'holder') ~= sid then
  return 'not_holder'
end
if grace_ms > 0 then
  redis.call('HSET', KEYS[1], 'holder', '', 'node', '', 'address', address)
  redis.call('PEXPIRE', KEYS[1], grace_ms)
else
  redis.call('DEL', KEYS[1])
end
return 'released'
