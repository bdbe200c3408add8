"""How much memory this process takes."""

import resource
import sys
from pathlib import Path

STATM = Path("/proc/self/statm")


def memory_bytes(statm: Path = STATM) -> tuple[int, int]:
    """Return how much of this process is in memory, and how much it has asked for.

    Where the system does not say (``statm`` is Linux's word for it), both are the most that ever was in memory.
    """
    try:
        asked, present = statm.read_text(encoding="ascii").split()[:2]
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return peak, peak
    page_bytes = resource.getpagesize()
    return int(present) * page_bytes, int(asked) * page_bytes
