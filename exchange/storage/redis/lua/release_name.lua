#!lua flags=allow-oom
-- KEYS: name
-- ARGV: sid grace_ms
-- Lets go of a name if this session holds it. During the grace its uid waits for the address that claimed it.
local sid, grace_ms = ARGV[1], tonumber(ARGV[2])
if redis.call('HGET', KEYS[1], 'holder') ~= sid then
  return 'not_holder'
end
if grace_ms > 0 then
  redis.call('HSET', KEYS[1], 'holder', '', 'node', '')
  redis.call('PEXPIRE', KEYS[1], grace_ms)
else
  redis.call('DEL', KEYS[1])
end
return 'released'
