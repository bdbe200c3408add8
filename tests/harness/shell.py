"""One user's machine, and the program ``magi`` on it: through pipes as programs have it, and at a terminal as people do."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import signal
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness.waiting import WAIT_SECONDS, eventually

PROGRAM = (sys.executable, "-m", "magi")
ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")


class Ended(NamedTuple):
    """How a run of the program ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """What ``--json`` printed."""
        return [json.loads(line) for line in self.out.splitlines()]


class Machine:
    """A home with a profile; daemons that were started there are ended by :meth:`clean_up`."""

    def __init__(self, home: Path, **variables: str) -> None:
        home.mkdir()
        self.home = home
        own = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}}
        self._environment = {**own, "MAGI_HOME": str(home), "TERM": "xterm", "COLUMNS": "200", **variables}

    async def start(self, *argv: str) -> asyncio.subprocess.Process:
        """Start the program with pipes for its streams."""
        return await asyncio.create_subprocess_exec(
            *PROGRAM,
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )

    async def run(self, *argv: str, typed: str = "") -> Ended:
        """Run the program to its end through pipes."""
        process = await self.start(*argv)
        try:
            async with asyncio.timeout(2 * WAIT_SECONDS):
                out, err = await process.communicate(typed.encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    @contextlib.asynccontextmanager
    async def terminal(self, *argv: str, **variables: str) -> AsyncIterator["Terminal"]:
        """Run the program at a terminal of its own; it is killed if it has not ended."""
        with _pseudo_terminal() as (ours, theirs):
            process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                *argv,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env={**self._environment, **variables},
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
            )
            terminal = Terminal(ours, process)
            try:
                yield terminal
            finally:
                terminal.close()
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def clean_up(self) -> None:
        """End the daemon, in order if it can."""
        status = await self.run("daemon", "status", "--json")
        if status.status == 0:
            (pid,) = (line["pid"] for line in status.lines)
            await self.run("daemon", "stop")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Terminal:
    """What a person sees of a program, and types."""

    def __init__(self, ours: int, process: asyncio.subprocess.Process) -> None:
        self._ours = ours
        self._process = process
        self._shown = bytearray()
        asyncio.get_running_loop().add_reader(ours, self._read)

    @property
    def screen(self) -> str:
        """Everything that was shown, without colours and movements of the cursor."""
        return ESCAPES.sub(b"", bytes(self._shown)).decode(errors="replace").replace("\r", "")

    async def sees(self, words: str) -> str:
        """Wait until something is shown, and return the last line of the screen."""
        try:
            await eventually(lambda: words in self.screen)
        except AssertionError:
            raise AssertionError(f"{words!r} is not in:\n{self.screen}") from None
        return self.screen.splitlines()[-1]

    def types(self, text: str) -> None:
        """Type something; Ctrl-C is ``\\x03``."""
        os.write(self._ours, text.encode())

    async def copies_the_number(self) -> None:
        """Type the number that is shown, as it is wanted of the owner."""
        line = await self.sees(", type ")
        self.types(f"{line.rpartition('type ')[2].rstrip(': ')}\n")

    async def ends(self) -> int:
        """Wait for the program's end and return its status; everything is shown then."""
        async with asyncio.timeout(2 * WAIT_SECONDS):
            status = await self._process.wait()
        self._read()
        return status

    def close(self) -> None:
        """Look away."""
        asyncio.get_running_loop().remove_reader(self._ours)

    def _read(self) -> None:
        # EIO: nobody is at the other end any more.
        with contextlib.suppress(OSError):
            while piece := os.read(self._ours, 65536):
                self._shown += piece
            return
        if self._process.returncode is not None:
            self.close()


@contextlib.contextmanager
def _pseudo_terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    try:
        yield ours, theirs
    finally:
        os.close(theirs)
        os.close(ours)
