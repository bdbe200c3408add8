#!lua flags=
-- KEYS: history
-- ARGV: record keep_ms
-- Adds a record to a history and removes those that were kept long enough. The rest goes with the last one.
local time, keep_ms = redis.call('TIME'), tonumber(ARGV[2])
local horizon_ms = time[1] * 1000 + math.floor(time[2] / 1000) - keep_ms
redis.call('XADD', KEYS[1], 'MINID', math.max(0, horizon_ms), '*', 'r', ARGV[1])
redis.call('PEXPIRE', KEYS[1], keep_ms)
return 'added'
