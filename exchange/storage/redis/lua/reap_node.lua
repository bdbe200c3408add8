#!lua flags=allow-oom
-- KEYS: lease registry
-- ARGV: node
-- Declares a node dead if it has no lease, which fences it; a node that left in order has no entry to mark.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'alive'
end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then
  return 'absent'
end
redis.call('HSET', KEYS[2], ARGV[1], 'reaped')
return 'reaped'
