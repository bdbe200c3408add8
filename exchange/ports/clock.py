"""Time as the store has it."""

from typing import Protocol


class Clock(Protocol):
    """The store's time, estimated without asking it, and a steady clock."""

    def now_ms(self) -> int:
        """Return the store's time in milliseconds since the epoch, as estimated at the last lease renewal."""

    def steady(self) -> float:
        """Return seconds of a clock that never jumps and counts suspended time; only differences mean anything."""
