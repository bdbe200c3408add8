"""One timer for all connections of a node: it looks in on each of them about once a second."""

import asyncio
from typing import Protocol

import structlog

# Prime, so that objects whose addresses share a stride still spread over all slices.
SLICES = 19
LATE_SECONDS = 1.0

log = structlog.get_logger()


class Visitor(Protocol):
    """Something with deadlines and no timer of its own."""

    def visit(self, now: float) -> None:
        """Look at what is due. ``now`` is :attr:`Wheel.now`."""


class Wheel:
    """Visits every member once a turn, one slice of them at a time; asleep while it has none.

    ``now`` is a clock in seconds for whatever is measured against a visit. While the loop does not run (a long
    computation, a suspended machine) it advances by ``LATE_SECONDS`` at most: peers whose bytes wait unread in the kernel
    were not silent, and must not be found so before they are read.
    """

    __slots__ = ("_loop", "_members_count", "_next", "_slices", "_step_seconds", "_ticked_at", "now")

    def __init__(self, *, turn_seconds: float = 1.0) -> None:
        self.now = 0.0
        self._step_seconds = turn_seconds / SLICES
        self._slices: tuple[set[Visitor], ...] = tuple(set() for _ in range(SLICES))
        self._members_count = 0
        self._next = 0
        self._ticked_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return self._members_count

    def add(self, visitor: Visitor) -> None:
        """Visit from now on. Called in the loop."""
        members = self._slices[hash(visitor) % SLICES]
        if visitor in members:
            return
        members.add(visitor)
        self._members_count += 1
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._ticked_at = self._loop.time()
            self._loop.call_later(self._step_seconds, self._tick)

    def remove(self, visitor: Visitor) -> None:
        """Visit no more; nothing if it was not a member."""
        members = self._slices[hash(visitor) % SLICES]
        if visitor in members:
            members.remove(visitor)
            self._members_count -= 1

    def _tick(self) -> None:
        loop = self._loop
        if loop is None or not self._members_count:
            self._loop = None
            return
        time = loop.time()
        self.now = now = self.now + min(time - self._ticked_at, LATE_SECONDS)
        self._ticked_at = time
        loop.call_later(self._step_seconds, self._tick)
        members = self._slices[self._next]
        self._next = (self._next + 1) % SLICES
        for visitor in tuple(members):  # a visit may end its own membership, or others'
            try:
                visitor.visit(now)
            except Exception:
                # One broken member must not stop the clock of all others.
                log.exception("wheel.failed", visitor=type(visitor).__name__)
