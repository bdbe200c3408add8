"""The process that owns one client and one desk, and serves the faces."""
