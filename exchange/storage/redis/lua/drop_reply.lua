#!lua flags=allow-oom
-- KEYS: done
-- ARGV: sid
-- Gives up the reservation of this session.
local value = redis.call('GET', KEYS[1])
if not value or string.sub(value, 1, 1) ~= '?' or string.sub(value, 18) ~= ARGV[1] then
  return 'other'
end
redis.call('DEL', KEYS[1])
return 'dropped'
