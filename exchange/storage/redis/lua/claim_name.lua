#!lua flags=
-- KEYS: name
-- ARGV: claimant rules proof token
-- Gives a name to a session that may have it. Answers {word, uid, holder, node}; a refusal changes nothing.
-- `claimant` packs {uid, sid, node, address}, `rules` {keep_uid, takeover, evict, forfeit}. Tokens come as hashes.
local offered, sid, node, address = unpack(cmsgpack.unpack(ARGV[1]))
local keep_uid, takeover, evict, forfeit = unpack(cmsgpack.unpack(ARGV[2]))
local proof, token = ARGV[3], ARGV[4]

local found = redis.call('HMGET', KEYS[1], 'uid', 'holder', 'node', 'address', 'token', 'before')
for i = 1, #found do
  found[i] = found[i] or ''
end
local uid, holder, holder_node, holder_address, newest, before = unpack(found)
local held = holder ~= '' and holder ~= evict
local proved = proof ~= '' and (proof == newest or proof == before)
local in_grace = uid ~= '' and holder == '' and newest == '' and holder_address == address

local word, refused = 'fresh', false
if proof ~= '' and not proved then
  word, refused = 'wrong', true
elseif holder == sid then
  word = 'same'
elseif held and not (proved and takeover) then
  word, refused = 'taken', true
elseif proved then
  word = 'resumed'
elseif newest ~= '' and uid ~= forfeit then
  word, refused = 'guarded', true
elseif in_grace and not keep_uid then
  word = 'grace'
end
if refused then
  return {word, uid, holder, holder_node}
end

if word == 'fresh' then
  uid, newest, before = offered, '', ''
end
if token ~= '' then
  newest, before = token, proof
elseif proof == newest then
  -- Whoever has the newest one needs the one before no more.
  before = ''
end
redis.call('HSET', KEYS[1], 'uid', uid, 'holder', sid, 'node', node, 'address', address,
  'token', newest, 'before', before)
redis.call('PERSIST', KEYS[1])
if word == 'resumed' then
  return {word, uid, holder, holder_node}
end
return {word, uid, '', ''}
