#!lua flags=
-- KEYS: job
-- ARGV: holder ttl_ms
-- Makes or keeps a worker the one holder of a job.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 'other'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'held'
