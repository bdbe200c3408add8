"""Ground floor of every wire: what bytes mean. No I/O, no clock, no randomness; shared by clients and server."""
