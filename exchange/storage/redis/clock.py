"""The store's time, learned from each lease renewal and carried on by a steady clock."""

import time

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Return seconds of a clock that never jumps and counts suspended time, where the system has one that does."""
    return time.clock_gettime(_BOOT_CLOCK)


class Clock:
    """Estimates the store's time to within half the round trip of the last renewal (DEL-20).

    Until the first one it knows only the wall clock of this machine.
    """

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = time.time() - steady()

    def now_ms(self) -> int:
        """Return the store's time in milliseconds since the epoch, as estimated at the last lease renewal."""
        return int((steady() + self._offset) * 1000)

    def steady(self) -> float:
        """Return :func:`steady`."""
        return steady()

    def learn(self, store_us: int, sent: float, received: float) -> None:
        """Take the store's ``TIME`` in microseconds as that of the middle between two moments of the steady clock."""
        self._offset = store_us / 1_000_000 - (sent + received) / 2
