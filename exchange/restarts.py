"""When a program that ended is started again: at once at first, then ever more slowly, and at some point no more."""

from collections import deque

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
MOST_COUNT = 5
PERIOD_SECONDS = 60.0


class Restarts:
    """The ends of one program. A program that ran for ``PERIOD_SECONDS`` starts over with the shortest pause."""

    __slots__ = ("_ends", "_row")

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=MOST_COUNT)
        self._row = 0

    def pause(self, now: float) -> float | None:
        """Note that the program ended and return the seconds to wait before it is started again.

        ``None`` means to give up: it ended ``MOST_COUNT`` times within ``PERIOD_SECONDS``. ``now`` is any steady clock.
        """
        if self._ends and now - self._ends[-1] > PERIOD_SECONDS:
            self._row = 0
        self._ends.append(now)
        if len(self._ends) == MOST_COUNT and now - self._ends[0] <= PERIOD_SECONDS:
            return None
        seconds = PAUSES_SECONDS[min(self._row, len(PAUSES_SECONDS) - 1)]
        self._row += 1
        return seconds
