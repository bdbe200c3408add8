#!lua flags=allow-oom
-- KEYS: lease registry
-- ARGV: node record state ttl_ms entered
-- Extends a node's lease, or enters the node; a node that was reaped, or entered and cleared since, is fenced.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local entry = redis.call('HGET', KEYS[2], ARGV[1])
if entry == 'reaped' or (not entry and ARGV[5] == 'entered') then
  return {'fenced', now_us}
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return {'ok', now_us}
