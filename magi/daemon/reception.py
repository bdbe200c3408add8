"""Takes what comes: turns loops and floods away, hands questions on, and keeps the times (CLI-11, CLI-27, CLI-39)."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from magi.client.errors import MagiError
from magi.client.model import Incoming, Kind
from magi.daemon.answering import Answering
from magi.daemon.deputy import Deputy
from magi.daemon.people import People
from magi.daemon.premises import Premises
from magi.desk import loops

TIDY_SECONDS = 3600.0
SHORTEST_SECONDS = 0.05
AGAIN_SECONDS = 5.0
_log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


class Reception:
    """Its three tasks go on until they are cancelled: :meth:`run`."""

    def __init__(self, premises: Premises, people: People, answering: Answering, deputy: Deputy) -> None:
        self._premises = premises
        self._client = premises.client
        self._store = premises.store
        self._people = people
        self._answering = answering
        self._deputy = deputy
        self._opened_ms = premises.now_ms()

    async def run(self) -> None:
        """Go on for ever. A client that has ended for good ends only what comes from it."""
        async with asyncio.TaskGroup() as tasks:
            for work in (self._mail, self._news):
                tasks.create_task(self._steadily(partial(self._until_over, work)))
            for work in (self._times, self._tidy):
                tasks.create_task(self._steadily(work))

    async def meet(self, message: Incoming) -> None:
        """Look at a message that is new to this process."""
        await self._people.petname(message.sender, message.nickname)
        if message.kind is Kind.ASK:
            if loop := loops.incoming(message.trace, secret=await self._store.ledger.secret()):
                await self._answering.refuse(message, loop.value, rule="loop")
            # What came before this process was taken then.
            elif message.received_ms >= self._opened_ms and await self._store.record.full():
                await self._answering.refuse(message, "full", rule="full")
        self._premises.pulse.beat()

    async def _mail(self) -> None:
        async for item in self._client.inbox():
            await self.meet(item.message)

    async def _news(self) -> None:
        async for event in self._client.events():
            if event.friend is not None:
                await self._people.petname(event.friend.username, event.friend.nickname)
            self._premises.pulse.beat()

    async def _times(self) -> None:
        """Expire questions, and look again when a claim or a deferral has run out."""
        while True:
            beats = self._premises.pulse.beats
            if await self._store.claims.expire():
                self._premises.pulse.beat()
            await self._deputy.look()
            change_ms = await self._store.claims.next_change_ms()
            left_seconds = (change_ms - self._premises.now_ms()) / 1000 if change_ms else None
            seconds = self._deputy.sooner(left_seconds)
            await self._premises.pulse.after(beats, seconds=None if seconds is None else max(seconds, SHORTEST_SECONDS))

    async def _tidy(self) -> None:
        while True:
            await self._store.record.tidy()
            await asyncio.sleep(TIDY_SECONDS)

    async def _until_over(self, work: Work) -> None:
        try:
            await work()
        except MagiError as error:
            _log.warning("client.over error=%s", type(error).__name__)
            self._premises.pulse.beat()

    async def _steadily(self, work: Work) -> None:
        """Do some work to its end. If it fails (a full disk), that is told, and it is begun again later."""
        while True:
            try:
                return await work()
            except Exception:  # noqa: BLE001  whatever it is, the other three and every face must not suffer from it
                _log.exception("reception.failed")
            await asyncio.sleep(AGAIN_SECONDS)
