#!lua flags=
-- KEYS: name
-- ARGV: uid sid node address keep_uid evict
-- Gives a name to a session unless another session holds it. Answers {word, uid, holder, node}.
local offered, sid, node, address, keep_uid, evict = unpack(ARGV)
local uid, holder, holder_node, holder_address =
  unpack(redis.call('HMGET', KEYS[1], 'uid', 'holder', 'node', 'address'))
local held = uid and holder ~= '' and (holder == sid or holder ~= evict)
local word = 'fresh'
if held and holder ~= sid then
  return {'taken', uid, holder, holder_node}
elseif held then
  word = 'same'
elseif uid and holder == '' and holder_address == address and keep_uid == '0' then
  word = 'grace'
else
  uid = offered
end
redis.call('HSET', KEYS[1], 'uid', uid, 'holder', sid, 'node', node, 'address', address)
redis.call('PERSIST', KEYS[1])
return {word, uid, '', ''}
