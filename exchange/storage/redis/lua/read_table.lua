#!lua flags=no-writes
-- KEYS: meta links
-- ARGV:
-- Reads a table of links and its revision as of one moment. Answers {rev, links}.
return {tonumber(redis.call('HGET', KEYS[1], 'lrev') or 0), redis.call('HGETALL', KEYS[2])}
