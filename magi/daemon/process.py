"""The daemon's life: it takes the profile, serves faces, and leaves when nobody needs it (CLI-22, CLI-23)."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from enum import IntEnum
from logging.handlers import RotatingFileHandler

from magi import __version__
from magi.client.errors import MagiError, StoreLocked
from magi.daemon.local import opened
from magi.daemon.server import FaceServer
from magi.desk import private
from magi.desk.profile import Profile

IDLE_SECONDS = 30 * 60.0
LOG_BYTES = 1 << 20
LOG_FILES = 2
_log = logging.getLogger(__name__)


class Exit(IntEnum):
    """How the process ends."""

    DONE = 0
    FAILED = 1
    LOCKED = 75  # another one has the profile: try to become its face


async def run(profile: Profile, *, idle_seconds: float = IDLE_SECONDS) -> Exit:
    """Be the daemon of a profile until a signal, a newer face, or half an hour without need ends it."""
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    try:
        async with AsyncExitStack() as ends:
            office = await ends.enter_async_context(opened(profile, daemon=True))
            await asyncio.to_thread(private.make_directory, profile.places.socket.parent)
            server = FaceServer(office, version=__version__, on_retire=leave.set)
            await server.open(profile.places.socket)
            # Gone before the lock is: nobody may unlink a socket that a later daemon has made.
            ends.callback(profile.places.socket.unlink, missing_ok=True)
            ends.push_async_callback(server.close)
            _log.info("daemon.started version=%s", __version__)
            idle = asyncio.create_task(until_idle(office.busy, office.changed, idle_seconds))
            leaving = asyncio.create_task(leave.wait())
            never = profile.settings.config.keep == "always"
            await asyncio.wait([leaving] if never else [leaving, idle], return_when=asyncio.FIRST_COMPLETED)
            for task in (idle, leaving):
                task.cancel()
            await asyncio.gather(idle, leaving, return_exceptions=True)
            _log.info("daemon.leaving asked=%s", leave.is_set())
    except StoreLocked:
        return Exit.LOCKED
    except (MagiError, OSError) as error:
        _log.error("daemon.failed error=%s: %s", type(error).__name__, error)  # a sentence for the owner
        return Exit.FAILED
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    _log.info("daemon.ended")
    return Exit.DONE


async def until_idle(
    busy: Callable[[], Awaitable[bool]], changed: Callable[[float], Awaitable[bool]], seconds: float
) -> None:
    """Return once nothing was to be done for ``seconds`` on end.

    Args:
        busy: Tells whether anything is to be done now.
        changed: Waits for a change, so many seconds at most, and tells whether there was one.
        seconds: How long to stay without need.
    """
    was_busy = await busy()
    while True:
        change = await changed(seconds)
        is_busy = await busy()
        if not (change or was_busy or is_busy):
            return
        if not change:
            _log.debug("daemon.stays")
        was_busy = is_busy


def log_to_file(profile: Profile) -> None:
    """Send what the daemon logs to its file. It holds no content, codes or tokens (CLI-17)."""
    path = profile.places.log
    private.make_directory(path.parent)
    private.touch(path)
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(process)d %(message)s"))
    level = logging.getLevelNamesMapping().get(profile.settings.log.upper(), logging.INFO)
    logger = logging.getLogger("magi")
    logger.addHandler(handler)
    logger.setLevel(level)
    # What libraries have to say at these levels may quote frames.
    logging.getLogger("magi.client").setLevel(max(level, logging.INFO))
