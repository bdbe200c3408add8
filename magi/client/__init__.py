"""The client: one identity on one socket."""
