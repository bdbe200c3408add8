"""A waiting room: a few callers may wait a moment for the lane, in order; nobody waits for long (DEL-10)."""

import asyncio
from collections import deque
from collections.abc import Callable

from exchange.core.errors import StorageUnavailable

PLACES_COUNT = 256
PATIENCE_SECONDS = 0.25


class Room:
    """Callers in the order of their arrival. Each is let in once or refused once, never both."""

    __slots__ = ("_queue", "_timer")

    def __init__(self) -> None:
        self._queue: deque[tuple[float, Callable[[], None], Callable[[StorageUnavailable], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def enter(
        self, go: Callable[[], None], refuse: Callable[[StorageUnavailable], None], *, always: bool = False
    ) -> None:
        """Wait. ``go`` or ``refuse`` is called later, never from in here; neither may raise.

        A full room refuses, unless ``always``: for what must keep its turn behind somebody who waits here.
        """
        loop = asyncio.get_running_loop()
        if len(self._queue) >= PLACES_COUNT and not always:
            loop.call_soon(refuse, StorageUnavailable(sent=False))
            return
        self._queue.append((loop.time() + PATIENCE_SECONDS, go, refuse))
        if self._timer is None:
            self._timer = loop.call_later(PATIENCE_SECONDS, self._expire)

    def admit(self, open_: Callable[[], bool]) -> None:
        """Let callers in for as long as ``open_()``."""
        while self._queue and open_():
            self._queue.popleft()[1]()

    def clear(self) -> None:
        """Refuse everybody."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Who comes back at once waits like a newcomer, or this would never end.
        present = list(self._queue)
        self._queue.clear()
        for _, _, refuse in present:
            refuse(StorageUnavailable(sent=False))

    def _expire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        # Half a millisecond early is on time: a timer that fires a hair too soon must not be set again for nothing.
        while self._queue and self._queue[0][0] <= now + 0.0005:
            self._queue.popleft()[2](StorageUnavailable(sent=False))
        if self._queue:
            self._timer = loop.call_at(self._queue[0][0], self._expire)
