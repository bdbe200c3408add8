"""How a node lets its connections go: with a notice, then a few at a time in an order nobody can predict (DEL-48).

::

    notice      not ready, lease draining; everything is served as ever, so that balancers look away first
    window      no new connections; everybody is told; sessions end in equal batches
    flush       what is left ends at once

Where no other node is in service nobody could take the connections over: then there is no notice, and the window is short,
so that this node is back soon (DEL-49, WIRE-11).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from math import ceil

import structlog

from exchange.core.events import Draining
from exchange.front import Ending
from exchange.node.connection import Connection
from exchange.node.roster import Crowd, Roster

log = structlog.get_logger()

STEP_SECONDS = 0.5
ALONE_SECONDS = 2.0
AT_ONCE_COUNT = 100
"""So many may come back to a single node in one moment."""
ANSWER_SECONDS = 2.0
"""For the replies that one connection still waits for (MAGI-54), and then for its farewell in the store."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the parts take, in seconds."""

    notice_seconds: float = 5.0
    window_seconds: float = 25.0
    flush_seconds: float = 5.0


class Drain:
    """Ends all connections of a node, once."""

    def __init__(
        self, plan: Plan, roster: Crowd | Roster, *, others: Callable[[], Awaitable[bool]], refuse: Callable[[], None]
    ) -> None:
        """Prepare; :meth:`run` does it.

        Args:
            plan: How long it may take.
            roster: The connections.
            others: Whether another node is in service; asked about twice a second.
            refuse: Is called when no new connections are to be accepted.
        """
        self._plan = plan
        self._roster = roster
        self._others = others
        self._refuse = refuse
        self._running = False
        self._leaving: dict[Connection, asyncio.Task[None]] = {}

    @property
    def remaining(self) -> int:
        """Connections that are still to go; 0 before the drain."""
        return len(self._roster) if self._running else 0

    async def run(self) -> None:
        """Let everybody go; returns when all have gone or the plan is at its end."""
        self._running = True
        alone = not await self._others()
        log.info("drain.begun", connections=len(self._roster), alone=alone)
        if not alone:
            alone = await self._notice()
        self._refuse()
        window_seconds = min(ALONE_SECONDS, self._plan.window_seconds) if alone else self._plan.window_seconds
        for connection in self._roster:
            connection.tell(Draining(0, int(window_seconds * 1000)))
        await self._pace(window_seconds, alone=alone)
        await self._flush()
        log.info("drain.finished", connections=len(self._roster))

    async def _notice(self) -> bool:
        """Go on as ever for a while; return whether the others have gone meanwhile."""
        now = asyncio.get_running_loop().time
        end = now() + self._plan.notice_seconds
        while now() < end:
            await asyncio.sleep(min(STEP_SECONDS, end - now()))
            if not await self._others():
                return True
        return False

    async def _pace(self, seconds: float, *, alone: bool) -> None:
        now = asyncio.get_running_loop().time
        end = now() + seconds
        waiting = list(self._roster)
        random.shuffle(waiting)
        while waiting and now() < end:
            steps = max(1, round((end - now()) / STEP_SECONDS))
            batch = ceil(len(waiting) / steps)
            if alone:
                batch = max(AT_ONCE_COUNT, batch)
            for _ in range(min(batch, len(waiting))):
                self._begin(waiting.pop())
            waiting = [connection for connection in waiting if connection.open]
            if not waiting:
                return
            await asyncio.sleep(min(STEP_SECONDS, end - now()))
            if not alone and not await self._others():
                alone = True
                end = min(end, now() + ALONE_SECONDS)

    async def _flush(self) -> None:
        """Let the rest go, and give everybody the time that is left to be gone."""
        for connection in self._roster:
            self._begin(connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.flush_seconds):
                await asyncio.gather(*self._leaving.values())
                await _until(lambda: not len(self._roster))

    def _begin(self, connection: Connection) -> None:
        if connection not in self._leaving:
            self._leaving[connection] = asyncio.get_running_loop().create_task(self._let_go(connection))

    async def _let_go(self, connection: Connection) -> None:
        try:
            await _end(connection)
        except Exception:
            # A mistake of ours in one session must not keep all others.
            log.exception("drain.failed", client=connection.session.client)
        connection.close(Ending.DRAIN)


async def _end(connection: Connection) -> None:
    """End a session before its socket: its replies, then its place in the store.

    Whoever comes back elsewhere the moment it is closed finds its name free.
    """
    connection.refuse_waiting()
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            await _until(lambda: not connection.busy)
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.shield(connection.leave())


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody announces, because the hot path would pay for it."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
