"""Whether a publish still comes all the way round: out by one connection, counted, and back by the other (DEL-13)."""

import asyncio
from functools import partial

from exchange.storage.redis.connection import resolve
from exchange.storage.redis.pair import Pair
from exchange.storage.redis.resp import pack


class Probe:
    """One at a time. Whoever owns the subscription passes on what it hears on ``channel``."""

    def __init__(self, channel: str, *, timeout_seconds: float) -> None:
        self.channel = channel.encode()
        self._timeout_seconds = timeout_seconds
        self._number = 0
        self._heard: asyncio.Future[object] | None = None

    async def passes(self, pair: Pair) -> bool:
        """Publish the next number; true if a subscriber was counted and the number arrives, both in time."""
        self._number += 1
        loop = asyncio.get_running_loop()
        counted: asyncio.Future[object] = loop.create_future()
        heard = self._heard = loop.create_future()
        pair.commands.send(pack((b"PUBLISH", self.channel, self._number)), partial(resolve, counted))
        try:
            async with asyncio.timeout(self._timeout_seconds):
                count = await counted
                return isinstance(count, int) and count >= 1 and await heard is True
        except TimeoutError:
            return False

    def hear(self, payload: bytes) -> None:
        """Take a message from the channel. Late numbers of earlier probes count for nothing."""
        if self._heard is not None and payload == b"%d" % self._number:
            resolve(self._heard, True)

    def give_up(self) -> None:
        """Let the probe that is under way fail now: the connections are gone."""
        if self._heard is not None:
            resolve(self._heard, False)
