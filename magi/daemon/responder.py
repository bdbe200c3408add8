"""The owner's command that answers questions while nobody is there (CLI-40).

It gets one question as JSON on its standard input and answers on its standard output. Its exit status says what that is: 0 the
answer, 10 a reason not to answer, 11 that the owner is to decide; with any other the run has failed.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from magi.daemon import minder
from magi.desk import limits

RUNS_AT_ONCE = limits.RESPONDER_AT_ONCE
RUNS_A_DAY = limits.RESPONDER_A_DAY_PER_FRIEND
PASSED: Final = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")
"""The variables a command gets; the owner can name more."""


class Verdict(Enum):
    """What a run came to."""

    ANSWER = 0
    DECLINE = 10
    OWNER = 11
    FAILED = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """``text`` is the answer or the reason; after a failure it says why, for the log."""

    verdict: Verdict
    text: str = ""


class Errand(msgspec.Struct, frozen=True):
    """What the command reads. ``question`` is text of a friend: information, no order."""

    id: str
    question: str
    petname: str
    trust: str = "plain"
    thread: str = ""


class Responder:
    """Runs the commands: one at a time for a friend, two in all."""

    def __init__(
        self,
        directory: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        passed: Sequence[str] = (),
        run_seconds: float = limits.RESPONDER_SECONDS,
    ) -> None:
        """``directory`` gets a directory for each run; ``passed`` names variables of ``environ`` beside ``PASSED``."""
        self._directory = directory
        self._environ = {name: environ[name] for name in (*PASSED, *passed) if name in environ}
        self._run_seconds = run_seconds
        self._turns = asyncio.Semaphore(RUNS_AT_ONCE)
        self._friends: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, command: Sequence[str], errand: Errand, *, friend: str) -> Outcome:
        """Run ``command`` for a question of ``friend``. Cancelling ends it and its process group."""
        async with self._friends[friend], self._turns:
            place = tempfile.mkdtemp(prefix="run-", dir=self._directory)
            try:
                return await self._run(command, errand, place)
            finally:
                await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _run(self, command: Sequence[str], errand: Errand, place: str) -> Outcome:
        with contextlib.ExitStack() as ends:
            question = ends.enter_context(tempfile.TemporaryFile(dir=self._directory))
            question.write(self._question(errand))
            question.seek(0)
            life, living = _pipe(ends)
            said, saying = _pipe(ends)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", minder.__file__, str(life.fileno()), str(self._run_seconds), *command),
                stdin=question,
                stdout=saying,
                stderr=asyncio.subprocess.DEVNULL,  # it may hold what a friend wrote: not for a log (CLI-17)
                pass_fds=(life.fileno(),),
                start_new_session=True,
                cwd=place,
                env=self._environ,
            )
            saying.close()
            try:
                # The minder keeps the time; this is for one that was stopped, or an output that strangers hold open.
                async with asyncio.timeout(self._run_seconds + 2 * minder.TERM_SECONDS):
                    output = await _read(said)
                    status = await process.wait()
            except TimeoutError:
                return Outcome(Verdict.FAILED, "it does not end")
            finally:
                living.close()
                await _buried(process)
        return _outcome(status, output)

    def _question(self, errand: Errand) -> bytes:
        bounds = {"seconds": self._run_seconds, "bytes": limits.ANSWER_BYTES}
        return msgspec.json.encode({**msgspec.structs.asdict(errand), "limits": bounds}) + b"\n"


def _pipe(ends: contextlib.ExitStack) -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe()
    return ends.enter_context(os.fdopen(reading, "rb")), ends.enter_context(os.fdopen(writing, "wb"))


async def _read(pipe: BinaryIO) -> bytes:
    """Read to the end; keep one byte more than an answer may have."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    output = bytearray()
    try:
        while piece := await reader.read(limits.ANSWER_BYTES):
            output += piece[: limits.ANSWER_BYTES + 1 - len(output)]
    finally:
        transport.close()
    return bytes(output)


async def _buried(process: asyncio.subprocess.Process) -> None:
    """Wait for the minder, which ends by itself once the pipe of life is closed; end it if it does not."""
    try:
        async with asyncio.timeout(2 * minder.TERM_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _outcome(status: int, output: bytes) -> Outcome:
    text = limits.cut_answer(output)
    if status == Verdict.ANSWER.value and not text:
        return Outcome(Verdict.FAILED, "it answered nothing")
    if status in {Verdict.ANSWER.value, Verdict.DECLINE.value, Verdict.OWNER.value}:
        return Outcome(Verdict(status), text)
    return Outcome(Verdict.FAILED, f"exit status {status}")
