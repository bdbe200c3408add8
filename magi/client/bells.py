"""How the parts of a client tell each other that something is new. What it is, stands in the store.

A bell only says *look again*: whoever waits takes the bell first, then looks, then waits, so that nothing is missed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

INBOX = "inbox"
LINE = "line"
IDLE = "idle"
EVENTS = "events"


class Bell:
    """One who waits for a name to be rung."""

    def __init__(self, bells: "Bells") -> None:
        self._bells = bells
        self.rung = asyncio.Event()

    async def next(self) -> None:
        """Wait until it was rung since the last call, or since it was taken. Look once more after that, whatever rang.

        Raises:
            Exception: What ended the client. There is nothing new to wait for.
        """
        if not self.rung.is_set():
            self._bells.check()
        await self.rung.wait()
        self.rung.clear()


class Bells:
    """All bells of one client, by name: the id of a message of ours, or one of the words above."""

    def __init__(self) -> None:
        self.over: Exception | None = None
        """What ended the client; every wait raises it from then on."""
        self._waiting: dict[str, set[Bell]] = {}

    @contextmanager
    def at(self, name: str) -> Iterator[Bell]:
        """Listen to a name."""
        bell = Bell(self)
        self._waiting.setdefault(name, set()).add(bell)
        try:
            yield bell
        finally:
            self._waiting[name].discard(bell)
            if not self._waiting[name]:
                del self._waiting[name]

    def ring(self, name: str) -> None:
        """Have everybody who listens to a name look again."""
        for bell in self._waiting.get(name, ()):
            bell.rung.set()

    def end(self, error: Exception) -> None:
        """Let every wait end with this error; the first one stays."""
        self.over = self.over or error
        for name in list(self._waiting):
            self.ring(name)

    def check(self) -> None:
        """Raise what ended the client, if something did."""
        if self.over is not None:
            raise self.over
