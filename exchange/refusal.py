"""Why a start was refused."""

REFUSED_STATUS = 3
"""Exit status of a program whose start was refused. Starting it again without a change is of no use."""


class StartRefused(Exception):
    """The program cannot start. The message is one sentence for the person who started it; it holds no secret."""
