"""The ports on Redis or Valkey: one map of keys, one file a script, one pipelined lane."""
