"""What tests of the desk begin with: a clock that stands still, and messages of alice (us) and bob."""

from typing import Any

from magi.client.model import Incoming, Kind, Outgoing

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class StandingClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        return self.ms


def ours(id_: str = "a1", **fields: Any) -> Outgoing:
    """Return our ask to bob, or what the fields make of it."""
    known = {"to": "bob", "kind": Kind.ASK, "text": "Tea?", "made_ms": NOW_MS, "expires_ms": NOW_MS + DAY_MS}
    return Outgoing(id_, **{**known, **fields})


def theirs(id_: str = "b1", **fields: Any) -> Incoming:
    """Return bob's ask, or what the fields make of it."""
    known = {"sender": "bob", "nickname": "Bob", "kind": Kind.ASK, "text": "Milk?", "received_ms": NOW_MS}
    return Incoming(id_, **{**known, **fields})


def our_answer(id_: str = "a9", to: str = "b1", **fields: Any) -> Outgoing:
    """Return our answer to a question of bob."""
    return ours(id_, **{"kind": Kind.ANSWER, "text": "Yes.", "reply_to": to, **fields})
