"""Asks that end by themselves: nobody answered in time (CLI-12). The exchange may say so as well; whoever is first."""

import asyncio
import contextlib
import heapq

from magi.client.model import Kind, Outgoing
from magi.client.records import Records
from magi.client.states import State

LONGEST_SECONDS = 3600.0
"""The wall clock may be set meanwhile, so it is looked at again after this."""


class Deadlines:
    """Watches our own asks. :meth:`run` it in a task."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._due: list[tuple[int, str]] = []
        self._watched: set[str] = set()
        self._new = asyncio.Event()

    def watch(self, ask: Outgoing) -> None:
        """Let an ask end as ``expired`` when its time has come, unless it has ended otherwise by then.

        Other messages are not watched: once they are sent, nobody waits for them.
        """
        if ask.kind is Kind.ASK and ask.id not in self._watched:
            self._watched.add(ask.id)
            heapq.heappush(self._due, (ask.expires_ms, ask.id))
            self._new.set()

    async def run(self) -> None:
        """Go on for ever, from what the store has open."""
        for ask in await self._records.store.open_asks():
            self.watch(ask)
        while True:
            self._new.clear()
            while self._due and self._due[0][0] <= self._records.now_ms():
                _, id_ = heapq.heappop(self._due)
                self._watched.discard(id_)
                await self._records.advance(id_, State.EXPIRED)
            left_seconds = (self._due[0][0] - self._records.now_ms()) / 1000 if self._due else LONGEST_SECONDS
            with contextlib.suppress(TimeoutError):
                # Not wait_for, which swallows a cancellation that comes together with the event (Python 3.11).
                async with asyncio.timeout(min(max(left_seconds, 0.0), LONGEST_SECONDS)):
                    await self._new.wait()
