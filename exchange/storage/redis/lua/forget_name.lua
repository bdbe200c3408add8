#!lua flags=allow-oom
-- KEYS: name
-- ARGV: sid
-- Forgets a name, and any token, if this session holds it.
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
  return 'not_holder'
end
redis.call('DEL', KEYS[1])
return 'forgotten'
