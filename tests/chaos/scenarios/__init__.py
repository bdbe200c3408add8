"""The scenarios of OPS section 11, by their numbers there; ``table`` says which there are and how large."""
