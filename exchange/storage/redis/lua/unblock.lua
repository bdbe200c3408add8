#!lua flags=allow-oom
-- KEYS: blocked
-- ARGV: name
-- Removes a name and whoever was entered with it.
local entries, removed = redis.call('HGETALL', KEYS[1]), 0
for i = 1, #entries, 2 do
  if entries[i + 1] == ARGV[1] then
    removed = removed + redis.call('HDEL', KEYS[1], entries[i])
  end
end
return removed > 0 and 'unblocked' or 'absent'
