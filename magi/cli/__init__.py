"""The program ``magi``: the face of the desk that people type at."""
