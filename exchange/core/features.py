"""What an extended client can be granted (MAGI-45 to MAGI-49), and what each feature needs.

The words are the wire's. A session's features decide what it may ask and what it is told; a link carries those of its
other end, so that a sender knows without asking how a message will travel.
"""

from collections.abc import Iterable, Mapping
from typing import Final

IDS: Final = "ids"
RESUME: Final = "resume"
PERSIST: Final = "persist"
OFFLINE: Final = "offline"
HISTORY: Final = "history"
PRESENCE: Final = "presence"
OBJECTS: Final = "objects"

FEATURES: Final = frozenset({IDS, RESUME, PERSIST, OFFLINE, HISTORY, PRESENCE, OBJECTS})

NEEDS: Final[Mapping[str, frozenset[str]]] = {
    # Whoever comes back after an absence must be able to prove who it is.
    PERSIST: frozenset({RESUME}),
    # Mail waits for a friendship that outlives a connection, and may come twice: its id tells (P3).
    OFFLINE: frozenset({PERSIST, IDS}),
    HISTORY: frozenset({OFFLINE}),
}
"""A feature that lacks one of these is not granted."""


def grant(wanted: Iterable[str], available: frozenset[str] = FEATURES) -> frozenset[str]:
    """Return the features of ``wanted`` that are available and have all they need."""
    granted = available.intersection(wanted)
    while True:
        kept = frozenset(feature for feature in granted if NEEDS.get(feature, frozenset()) <= granted)
        if kept == granted:
            return granted
        granted = kept
