"""Waiting for friends without outstaying the patience of an agent client (MCP-3)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

Progress = Callable[[float, float, str], Awaitable[None]]
"""Says that a call goes on: seconds so far, seconds at most, and a sentence. Does nothing if the client did not ask for it."""


async def unseen(_so_far: float, _at_most: float, _said: str) -> None:
    """Be the :data:`Progress` of a call that nobody watches."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a tool may take. All in seconds.

    The shortest limit among agent clients is 60 s, and cutting a call there would look like a failure.
    """

    most_seconds: float = 50.0
    margin_seconds: float = 3.0
    """What is kept back of ``most_seconds`` for everything but the waiting."""
    grace_seconds: float = 1.0
    """How much longer than granted a desk may take; a part of the margin."""
    progress_seconds: float = 15.0

    def after(self, spent_seconds: float) -> "Patience":
        """Return what is left when a part of it was spent already."""
        return replace(self, most_seconds=max(self.most_seconds - spent_seconds, self.margin_seconds))

    def granted(self, wanted_seconds: float) -> float:
        """Return how long the desk may wait for a caller who wants it to wait so long."""
        return max(0.0, min(wanted_seconds, self.most_seconds - self.margin_seconds))

    async def hold(self, work: Awaitable[T], wanted_seconds: float, progress: Progress, said: str) -> T | None:
        """Return what ``work`` returns; ``None`` if it takes the grace longer than granted, and then it is cancelled.

        ``work`` is to end by itself after :meth:`granted`; this is for a desk that does not. Cancelling cancels it too.
        """
        granted = self.granted(wanted_seconds)
        clock = asyncio.get_running_loop().time
        start = clock()
        task = asyncio.ensure_future(work)
        try:
            while (left := start + granted + self.grace_seconds - clock()) > 0:
                await asyncio.wait([task], timeout=min(left, self.progress_seconds))
                if task.done():
                    return task.result()
                await progress(clock() - start, granted, said)
            return None
        finally:
            task.cancel()
