"""The way to the owner's desk: opened beside the first calls, and tried again as long as it stays shut (MCP-1)."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from magi.daemon.port import DaemonAway, Desk

log = logging.getLogger(__name__)

OPEN_SECONDS = 10.0


class Door:
    """Opens a desk once and keeps it open. ``open_desk`` may be called again after it failed: the owner may have set up
    the profile meanwhile."""

    def __init__(self, open_desk: Callable[[], AbstractAsyncContextManager[Desk]]) -> None:
        self._open_desk = open_desk
        self._leaving = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._found: asyncio.Future[Desk] | None = None

    def knock(self) -> "asyncio.Future[Desk]":
        """Begin to open the desk, unless it is open or being opened; return where it will be."""
        if self._found is None or (self._found.done() and self._found.exception()):
            self._found = asyncio.get_running_loop().create_future()
            self._keeping = asyncio.create_task(self._keep(self._found))
        return self._found

    async def desk(self) -> Desk:
        """Return the desk. Cancelling leaves the door as it is.

        Raises:
            DaemonAway: It did not open in time.
            MagiError: What opening it raised, and so does :class:`DeskError`.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self.knock()), OPEN_SECONDS)
        except TimeoutError:
            raise DaemonAway("The magi daemon does not answer yet. Nothing was done.") from None

    async def close(self) -> None:
        """Leave the desk."""
        self._leaving.set()
        if self._keeping is not None:
            if self._found is not None and not self._found.done():
                self._keeping.cancel()
            await asyncio.wait([self._keeping])

    async def _keep(self, found: "asyncio.Future[Desk]") -> None:
        """Open and leave the desk in one task: what it holds may want that."""
        try:
            async with self._open_desk() as desk:
                found.set_result(desk)
                await self._leaving.wait()
        except Exception as error:  # noqa: BLE001  whoever asks for the desk gets it
            if found.done():
                log.warning("The desk was not left in order: %s", type(error).__name__)
            else:
                found.set_exception(error)
                found.exception()  # nobody may ask, and that is no fault
