"""Pairs of friends who ask and answer at a rate, whatever happens to the exchange meanwhile."""

import asyncio
from collections.abc import Sequence
from typing import Self

from tests.chaos.client import ChaosClient
from tests.chaos.pace import pause
from tests.chaos.stage import Stage

TICK_SECONDS = 0.02
UNDER_WAY_MOST = 50
"""A client with so many letters without a final state sends no more of its own."""


class Load:
    """Use as ``async with Load(scene, pairs, rate):``; questions are sent until the end of the block."""

    def __init__(self, scene: Stage, pairs: Sequence[tuple[ChaosClient, ChaosClient]], rate: float) -> None:
        """``rate`` is in questions per second, over all pairs; an answer to each comes on top."""
        self._scene = scene
        self._pairs = pairs
        self._rate = rate
        self._task: asyncio.Task[None] | None = None
        self.questions = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def burst(self, count: int) -> None:
        """Have so many questions under way at once."""
        for number in range(count):
            asker, answerer = self._pairs[number % len(self._pairs)]
            asker.send(answerer.name)
            self.questions += 1

    async def grow(self, count: int) -> None:
        """Wait until so many more questions were sent."""
        wanted = self.questions + count
        while self.questions < wanted:
            await pause(TICK_SECONDS)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        start, sent = loop.time(), 0
        while True:
            due = int((loop.time() - start) * self._rate)
            while sent < due:
                sent += 1
                asker, answerer = self._scene.random.choice(self._pairs)
                if len(asker.pending) < UNDER_WAY_MOST:
                    asker.send(answerer.name)
                    self.questions += 1
            await pause(TICK_SECONDS)
