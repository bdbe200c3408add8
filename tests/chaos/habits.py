"""What is special about a client, and what every client takes an answer for."""

from dataclasses import dataclass

EXTENDED = ("ids", "resume", "persist", "offline")

RETRYABLE = frozenset({"unavailable", "not_durable", "mailbox_full", "rate_limited", "not_connected", "user_unknown"})
"""Refusals after which the same id is sent again. Those of a friend who is away can only be met on the live tier."""
UNCERTAIN = frozenset({"unavailable", "not_durable"})
"""Refusals that do not say whether the message was stored."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a client behaves."""

    features: tuple[str, ...] | None = EXTENDED
    """What it asks for; ``None``: a plain client, which gets no ids and sends every message once."""
    reads: bool = True
    answers: bool = False
    """Whether it answers every question that it sees for the first time."""
    ack_every: int = 1
    ack_late_seconds: float = 0.05
    """It acknowledges after so many messages, or so late."""
    dies_on: str = ""
    """It breaks off, without an acknowledgement, on each message whose content has this mark."""
    returns: bool = True
    """Whether it comes back when it lost its connection."""
    ping_seconds: float | None = 2.0
    """How often it pings; twice as long without a pong, and it goes elsewhere."""
