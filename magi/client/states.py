"""What can be said of a message that was sent, and with what evidence (CLI-12).

::

    held_here -> pending -> queued | delivered -> arrived -> held, seen, stalled -> answered | declined | expired | ...
                    |                                                                 withdrawn | failed
                    +-> unknown

A state only moves forwards; ``held``, ``seen`` and ``stalled`` may alternate. A final one stays.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a message stands. The words are part of every ``--json`` line and of the local database."""

    HELD_HERE = "held_here"
    PENDING = "pending"
    UNKNOWN = "unknown"
    QUEUED = "queued"
    DELIVERED = "delivered"
    ARRIVED = "arrived"
    HELD = "held"
    SEEN = "seen"
    STALLED = "stalled"
    ANSWERED = "answered"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self in FINAL


RANKS: dict[State, int] = {
    State.HELD_HERE: 0,
    State.PENDING: 1,
    State.UNKNOWN: 2,
    State.QUEUED: 3,
    State.DELIVERED: 4,
    State.ARRIVED: 5,
    State.HELD: 6,
    State.SEEN: 6,
    State.STALLED: 6,
    State.ANSWERED: 7,
    State.DECLINED: 7,
    State.EXPIRED: 7,
    State.WITHDRAWN: 7,
    State.FAILED: 7,
}
"""A state may be followed by one of a higher rank, or by another of rank 6."""

FINAL = frozenset(state for state, rank in RANKS.items() if rank == max(RANKS.values()))

SAID: dict[State, str] = {
    State.HELD_HERE: "waiting for you: magi review",
    State.PENDING: "not sent yet",
    State.UNKNOWN: "may or may not have arrived",
    State.QUEUED: "kept by the exchange for {who}",
    State.DELIVERED: "handed to {who}'s connection, not read yet",
    State.ARRIVED: "on {who}'s machine",
    State.HELD: "{who} is asked",
    State.SEEN: "being looked at",
    State.STALLED: "waits for {who} in person",
    State.ANSWERED: "answered",
    State.DECLINED: "declined",
    State.EXPIRED: "expired",
    State.WITHDRAWN: "withdrawn",
    State.FAILED: "failed",
}
"""What a person reads."""


def follows(old: State, new: State) -> bool:
    """Tell whether a message in state ``old`` may go to ``new``."""
    before, after = RANKS[old], RANKS[new]
    return after > before or (after == before == RANKS[State.SEEN] and old is not new)
