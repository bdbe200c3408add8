"""One run of a child process, seen from its parent. The child's side is :mod:`exchange.lifeline`."""

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

from exchange.settings.sources import PREFIX


@dataclass(frozen=True, slots=True)
class Program:
    """What is run: the child gets ``--report-fd N`` at the end of ``command``, and ``feed`` on its standard input."""

    name: str
    command: tuple[str, ...]
    feed: bytes
    stop_seconds: float
    """How long it may take to end after SIGTERM."""
    drains: bool = False
    """Whether somebody else may have asked it to end in order, so that its end with status 0 is meant."""


class Word(Enum):
    """What a child said of its start."""

    READY = auto()
    REFUSED = auto()
    NOTHING = auto()  # it ended without a word


class Child:
    """A running child process, in a session of its own: the terminal's Ctrl-C reaches only its parent."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, report: asyncio.StreamReader) -> None:
        self.program = program
        self._process = process
        self._report = report

    @classmethod
    async def spawn(cls, program: Program, *, environ: Mapping[str, str] = os.environ) -> "Child":
        """Start the program and hand it its settings. Its environment keeps none of ours."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as pipe:
            try:
                process = await asyncio.create_subprocess_exec(
                    *program.command,
                    "--report-fd",
                    str(writing),
                    stdin=asyncio.subprocess.PIPE,
                    pass_fds=(writing,),
                    start_new_session=True,
                    env={name: value for name, value in environ.items() if not name.startswith(PREFIX)},
                )
            finally:
                os.close(writing)
            try:
                return cls(program, process, await _tied(process, os.dup(pipe.fileno()), program.feed))
            except BaseException:
                # Cancelled half-way: nobody knows this child, so nobody would end it.
                process.kill()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def word(self) -> tuple[Word, str]:
        """Wait for what the child says of its start, and return it with its reason if it refused."""
        line = await self._report.readline()
        if not line:
            return Word.NOTHING, ""
        message = json.loads(line)
        return (Word.REFUSED, message["refused"]) if "refused" in message else (Word.READY, "")

    async def wait(self) -> int:
        """Wait for the end and return the exit status, negative if a signal ended it."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Ask the child to end."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End the child at once."""
        with suppress(ProcessLookupError):
            self._process.kill()


async def _tied(process: asyncio.subprocess.Process, reading: int, feed: bytes) -> asyncio.StreamReader:
    """Hand the child its settings and return what it reports."""
    report = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(report), os.fdopen(reading, "rb"))
    if process.stdin is not None:
        # It stays open as long as this process lives: its end tells the child that we are gone.
        process.stdin.write(feed)
        with suppress(ConnectionError):
            await process.stdin.drain()
    return report
