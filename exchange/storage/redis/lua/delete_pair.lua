#!lua flags=allow-oom
-- KEYS: pair slot slot slot_wake slot_wake
-- ARGV:
-- Ends a pair, frees both its slots and tells whoever is in them (CORAL-27). Usage stays, and the numbers for a day.
-- A repeat tells again: the nodes may have missed it.
local DAY_MS = 86400000
local existed = redis.call('DEL', KEYS[1])
for _, slot in ipairs({KEYS[2], KEYS[3]}) do
  redis.call('HDEL', slot, 'sid', 'node', 'busy', 'since_ms', 'replaced', 'replaced_ms')
  redis.call('PEXPIRE', slot, DAY_MS)
end
redis.call('PUBLISH', KEYS[4], 'R')
redis.call('PUBLISH', KEYS[5], 'R')
return existed == 1 and 'deleted' or 'absent'
