"""This process: its connections, its users, its lease."""
