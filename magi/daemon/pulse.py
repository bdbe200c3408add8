"""Says that something at the desk changed; what, stands in the store."""

import asyncio


class Pulse:
    """A count of changes that can be waited for. Read ``beats``, then look, then wait, and nothing is missed."""

    def __init__(self) -> None:
        self.beats = 0
        self._next = asyncio.Event()

    def beat(self) -> None:
        """Have everybody who waits look again."""
        self.beats += 1
        self._next.set()
        self._next = asyncio.Event()

    async def after(self, beats: int, *, seconds: float | None = None) -> bool:
        """Wait until there were more than ``beats``; ``False`` if there were none within ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                while self.beats <= beats:
                    await self._next.wait()
        except TimeoutError:
            return self.beats > beats
        return True
