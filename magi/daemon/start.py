"""Finds the daemon of a profile, or starts one, and gives a face its desk (CLI-21 to CLI-26)."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from magi import __version__
from magi.client.errors import StoreLocked
from magi.daemon.local import opened
from magi.daemon.port import DaemonAway, Desk, DeskError
from magi.daemon.process import Exit
from magi.daemon.protocol import PROTOCOL, Hello
from magi.daemon.remote import FaceLine, RemoteDesk
from magi.desk.profile import Profile

READY_SECONDS = 5.0
LOOK_SECONDS = 0.02
RETIRE_SECONDS = 15.0
"""How long a daemon may take to leave in order."""
COMMAND: Final = (sys.executable, "-m", "magi.daemon")


@asynccontextmanager
async def desk(
    profile: Profile,
    *,
    face: str = "cli",
    client: str = "",
    session: str = "",
    direct: bool = False,
    start: bool = True,
) -> AsyncIterator[Desk]:
    """Give the desk of a profile to a face, as long as it is needed.

    Args:
        profile: Whose desk.
        face: ``cli`` for a person at a terminal; any other speaks for an assistant: ``script``, ``mcp``, ``hook``, ``wake``.
        client: The agent client that the face belongs to.
        session: One assistant in it.
        direct: Do it in this process, unless a daemon has the profile (CLI-26).
        start: Start a daemon if there is none. Hooks never do.

    Raises:
        DaemonAway: There is no daemon, or it did not start; the message says where its log is.
        StoreLocked: A command with ``direct`` has the profile.
        DeskError: The daemon is newer than this face, or serves another face of this kind already.
        ProfileError: The profile cannot be used.
    """
    hello = Hello(PROTOCOL, __version__, face, client, session, os.getpid())
    async with AsyncExitStack() as ends:
        if direct:
            try:
                office = await ends.enter_async_context(opened(profile, daemon=False))
            except StoreLocked:
                start = False  # whoever holds the profile is the daemon, or will be gone before one could start
            else:
                yield office.attach(hello)
                return
        finder = Finder(profile, hello, start=start)
        remote = await RemoteDesk.open(finder.dial)
        ends.push_async_callback(remote.close)
        yield remote


async def find(profile: Profile) -> FaceLine:
    """Return a line to the daemon that runs; nothing is started. Close it.

    Raises:
        DaemonAway: None runs.
    """
    return await FaceLine.open(profile.places.socket, Hello(PROTOCOL, __version__, "control", pid=os.getpid()))


async def stop(profile: Profile) -> bool:
    """Have the daemon leave in order, and wait for it; ``False`` if none runs.

    Raises:
        DaemonAway: It does not leave.
    """
    try:
        line = await find(profile)
    except DaemonAway:
        return False
    try:
        await _retired(line)
    finally:
        await line.close()
    return True


class Finder:
    """Connects a face to the daemon of its profile, whatever state that is in."""

    def __init__(self, profile: Profile, hello: Hello, *, start: bool, command: Sequence[str] = COMMAND) -> None:
        self._profile = profile
        self._hello = hello
        self._start = start
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._locked = False

    async def dial(self) -> FaceLine:
        """Return a line to a daemon that speaks our protocol. Errors as of :func:`desk`."""
        self._child = None  # what became of one that served us before says nothing of the next
        try:
            async with asyncio.timeout(READY_SECONDS + RETIRE_SECONDS):
                return await self._dial()
        except TimeoutError:
            raise DaemonAway(self._complaint("did not get ready")) from None

    async def _dial(self) -> FaceLine:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_SECONDS
        while True:
            try:
                line = await FaceLine.open(self._profile.places.socket, self._hello)
            except DaemonAway:
                if not self._start:
                    raise
            else:
                if line.welcome.protocol == PROTOCOL:
                    return line
                await self._outgrow(line)
                deadline = loop.time() + READY_SECONDS
            if loop.time() > deadline:
                self._check_holder()
                raise DaemonAway(self._complaint("did not get ready"))
            self._see_to_it()
            await asyncio.sleep(LOOK_SECONDS)

    def _see_to_it(self) -> None:
        """Start a daemon, unless ours is still starting. One that found the profile taken is started again: the daemon that had
        it may be leaving; if it is not, it listens by now.

        Raises:
            DaemonAway: Ours could not start.
        """
        status = None if self._child is None else self._child.poll()
        if self._child is not None and status is None:
            return
        self._locked = status == Exit.LOCKED
        if status not in {None, Exit.LOCKED, Exit.DONE}:
            raise DaemonAway(self._complaint(f"ended with status {status}"))
        servers = self._profile.settings.table["servers"]
        given = [f"--server={one}" for one in self._profile.servers] if servers.origin.startswith("flag") else []
        self._child = spawned(
            [*self._command, "--profile", self._profile.name, *given], cwd=str(self._profile.places.data)
        )

    async def _outgrow(self, line: FaceLine) -> None:
        """Have an older daemon leave.

        Raises:
            DeskError: It is newer than we are.
        """
        theirs = line.welcome
        try:
            if theirs.protocol > PROTOCOL:
                raise DeskError(
                    f"The magi daemon is version {theirs.version}, this program is {__version__}. Start the newer magi here."
                )
            await _retired(line)
        finally:
            await line.close()

    def _check_holder(self) -> None:
        """Find out whether a process that serves nobody has the profile: a command with ``direct``.

        Raises:
            StoreLocked: So it is.
        """
        if self._locked:
            self._profile.hold().release()

    def _complaint(self, what: str) -> str:
        return f"The magi daemon {what}. Its log says why: {self._profile.places.log}"


def spawned(command: Sequence[str], *, cwd: str) -> "subprocess.Popen[bytes]":
    """Start a process that outlives us, and is nobody's zombie if we outlive it."""
    child = subprocess.Popen(  # noqa: S603  our own program
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=child.wait, name="magi-daemon-child", daemon=True).start()
    return child


async def _retired(line: FaceLine) -> None:
    try:
        async with asyncio.timeout(RETIRE_SECONDS):
            await line.retire()
    except TimeoutError:
        raise DaemonAway(f"The magi daemon (process {line.welcome.pid}) does not leave.") from None
