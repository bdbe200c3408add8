#!lua flags=
-- KEYS: blocked
-- ARGV: name entries most
-- Enters a name and the users (packed) who have it, each with that name, unless there are too many of either.
local name, entries, most = ARGV[1], cmsgpack.unpack(ARGV[2]), tonumber(ARGV[3])
local names, users = 0, 0
for _, entry in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.byte(entry) == 0 then
    users = users + 1
  else
    names = names + 1
  end
end
if redis.call('HEXISTS', KEYS[1], name) == 0 then
  names = names + 1
end
for _, entry in ipairs(entries) do
  if redis.call('HEXISTS', KEYS[1], entry) == 0 then
    users = users + 1
  end
end
if names > most or users > most then
  return 'full'
end
redis.call('HSET', KEYS[1], name, name)
for _, entry in ipairs(entries) do
  redis.call('HSET', KEYS[1], entry, name)
end
return 'blocked'
