#!lua flags=allow-oom
-- KEYS: parked
-- ARGV: before_ms
-- Removes letters that were parked before a moment. Answers how many.
local count = redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
if redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
end
return count
