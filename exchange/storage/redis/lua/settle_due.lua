#!lua flags=allow-oom
-- KEYS: due
-- ARGV: uid seen_ms next_ms
-- Puts the next moment (0: none) in the place of the one that was seen. One that was noted meanwhile stays if it is earlier.
local uid, seen_ms, next_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local score = redis.call('ZSCORE', KEYS[1], uid)
if score and tonumber(score) == seen_ms then
  redis.call('ZREM', KEYS[1], uid)
end
if next_ms > 0 then
  redis.call('ZADD', KEYS[1], 'LT', next_ms, uid)
end
return 'settled'
