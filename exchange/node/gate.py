"""A gate that lets few through at a time, in the order of their arrival."""

import asyncio
from collections import deque


class Gate:
    """Some permits. Belongs to one event loop."""

    __slots__ = ("_free_count", "_waiting")

    def __init__(self, count: int) -> None:
        """``count`` may be inside at once."""
        self._free_count = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter(self) -> bool:
        """Take a permit now, unless there is none or somebody has waited for longer."""
        if not self._free_count or self._waiting:
            return False
        self._free_count -= 1
        return True

    async def wait(self) -> None:
        """Wait for a permit and take it. Cancelling takes none."""
        if self.enter():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()  # it was given the permit in the same moment
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give a permit back: to whoever has waited longest, if anybody has."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free_count += 1
