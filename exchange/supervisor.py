"""Keeps the children of one exchange running, and ends them in order.

A child that ends unasked is started again (:mod:`exchange.restarts`). If it keeps ending, or refuses its first start,
the whole exchange ends: half an exchange that looks like a whole one helps nobody. A node that was drained is meant to be
gone: it stays so, and when the last one is gone the exchange ends.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NoReturn

from exchange.child import Child, Program, Word
from exchange.embedded import EmbeddedValkey
from exchange.refusal import StartRefused
from exchange.restarts import MOST_COUNT, PAUSES_SECONDS, PERIOD_SECONDS, Restarts

Say = Callable[[str], None]


class GaveUp(Exception):
    """A program keeps ending. The message is one sentence that says where to look."""


class Seat:
    """A program, and the child that runs it now."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.child: Child | None = None
        self.ready = asyncio.Event()
        """Set once the program has been ready for the first time."""

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.running


class Supervisor:
    """Runs programs in stages: all start together, a stage is ended when the one before it is gone."""

    def __init__(self, stages: Sequence[Sequence[Program]], *, store: EmbeddedValkey | None, say: Say) -> None:
        """``store`` runs already; it is started again if it ends, and not ended here."""
        self._stages = [[Seat(program) for program in stage] for stage in stages]
        self._seats = [seat for stage in self._stages for seat in stage]
        self._store = store
        self._say = say

    async def run(self, ready: Callable[[], None]) -> None:
        """Start everything, call ``ready`` when all have been ready, and keep everything running.

        Returns when the last program that may be drained was. Cancelling leaves the children as they are; call
        :meth:`stop` then, and after an error.

        Raises:
            StartRefused: A program refused its first start.
            GaveUp: A program keeps ending.
        """
        nodes = {asyncio.create_task(self._keep(seat)) for seat in self._seats if seat.program.drains}
        keepers = {asyncio.create_task(self._keep(seat)) for seat in self._seats if not seat.program.drains}
        if self._store is not None:
            keepers.add(asyncio.create_task(self._keep_store(self._store)))
        announcer = asyncio.create_task(self._announce(ready))
        running = nodes | keepers
        try:
            while running - keepers or not nodes:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (*nodes, *keepers, announcer):
                task.cancel()
            await asyncio.gather(*nodes, *keepers, announcer, return_exceptions=True)

    async def stop(self) -> None:
        """End all children in order, stage after stage; a child that takes too long is killed."""
        for stage in self._stages:
            running = [seat for seat in stage if seat.running]
            if running:
                self._say(f"stopping: waiting for {', '.join(seat.program.name for seat in running)}")
                await asyncio.gather(*(self._end(seat) for seat in running))

    def kill(self) -> None:
        """End all children at once."""
        for seat in self._seats:
            if seat.child is not None:
                seat.child.kill()

    async def _announce(self, ready: Callable[[], None]) -> None:
        for seat in self._seats:
            await seat.ready.wait()
        ready()

    async def _keep(self, seat: Seat) -> None:
        """Run a program again and again; return once it was drained."""
        restarts = Restarts()
        name = seat.program.name
        while True:
            child = seat.child = await Child.spawn(seat.program)
            word, reason = await child.word()
            if word is Word.READY:
                if seat.ready.is_set():
                    self._say(f"{name} is back")
                seat.ready.set()
            status = await child.wait()
            if seat.program.drains and word is Word.READY and status == 0:
                self._say(f"{name} was drained and stays away")
                return
            if word is not Word.REFUSED:
                await self._pause(name, _spelled(status), restarts)
            elif seat.ready.is_set():
                # It ran before, so the reason is outside (the store is away). The others go on, and so does trying.
                self._say(f"{name} cannot start again yet: {reason}")
                await asyncio.sleep(PAUSES_SECONDS[-1])
            else:
                raise StartRefused(reason)

    async def _keep_store(self, store: EmbeddedValkey) -> NoReturn:
        restarts = Restarts()
        while True:
            await store.ended()
            await self._pause("the embedded Valkey", f"its log is {store.log}", restarts)
            await store.start()
            self._say("the embedded Valkey is back")

    async def _pause(self, name: str, how: str, restarts: Restarts) -> None:
        seconds = restarts.pause(asyncio.get_running_loop().time())
        if seconds is None:
            raise GaveUp(
                f"Giving up: {name} ended {MOST_COUNT} times within {PERIOD_SECONDS:g} seconds, last with {how}; "
                "look at the lines above."
            )
        self._say(f"{name} ended unasked ({how}); starting it again in {seconds:g} s")
        await asyncio.sleep(seconds)

    async def _end(self, seat: Seat) -> None:
        child = seat.child
        if child is None:
            return
        child.terminate()
        try:
            async with asyncio.timeout(seat.program.stop_seconds):
                await child.wait()
        except TimeoutError:
            self._say(f"{seat.program.name} did not end within {seat.program.stop_seconds:g} s and is killed")
            child.kill()
            await child.wait()


def _spelled(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
