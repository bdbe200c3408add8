#!lua flags=
-- KEYS: window
-- ARGV: window_ms
-- Counts one failure and returns their number; the first one starts the window.
local failures = redis.call('INCR', KEYS[1])
if failures == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return failures
