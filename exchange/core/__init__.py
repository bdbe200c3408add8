"""Ground floor of the server: what is true. Standard library only; no I/O, no clock, no randomness."""
