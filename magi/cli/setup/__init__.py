"""Wires agent clients: one adapter file for each (CLI-42)."""
