"""Why a start was refused."""

import errno

REFUSED_STATUS = 3
"""Exit status of a program whose start was refused. Starting it again without a change is of no use."""


class StartRefused(Exception):
    """The program cannot start. The message is one sentence for the person who started it; it holds no secret."""


def port_refused(error: OSError, host: str, port: int, variable: str) -> str:
    """Return the sentence for a port that cannot be used; ``variable`` is the setting that chose it."""
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is in use by another program; choose another with {variable}."
        case errno.EACCES:
            return f"Port {port} on {host} is reserved for the system; choose one above 1023 with {variable}."
        case errno.EADDRNOTAVAIL:
            return f"This machine has no address {host} to listen on."
    return f"Port {port} on {host} cannot be used: {error.strerror}."
