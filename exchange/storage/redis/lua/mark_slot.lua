#!lua flags=allow-oom
-- KEYS: slot
-- ARGV: number busy
-- Notes whether the queue of the end `number` is full, unless it is not current any more.
local current, sid = unpack(redis.call('HMGET', KEYS[1], 'number', 'sid'))
if current ~= ARGV[1] or not sid then
  return 'stale'
elseif ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'busy', 1)
else
  redis.call('HDEL', KEYS[1], 'busy')
end
return 'marked'
