"""Serves the desk to faces over the local socket; what is said there is in :mod:`magi.daemon.protocol`."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from magi.client.errors import MagiError
from magi.daemon.port import Desk, DeskError
from magi.daemon.protocol import (
    LINE_BYTES,
    METHODS,
    PROTOCOL,
    Call,
    Cancel,
    Event,
    Hello,
    Method,
    Result,
    Retire,
    Said,
    TurnedAway,
    Welcome,
    failure_of,
    line_of,
    lines_of,
    said_in,
    value_of,
)

HELLO_SECONDS = 5.0
CALLS_MOST = 64
"""How many calls of one face may be under way."""
ALONE: Final = frozenset({"wake"})
"""Faces of which a session has one at most (CLI-43)."""
_log = logging.getLogger(__name__)


class Host(Protocol):
    """Gives each face its desk, and knows who is here."""

    def attach(self, face: Hello) -> Desk:
        """Return the desk of a face that came: it refuses what this face may not do (CLI-35)."""

    async def detach(self, face: Hello) -> None:
        """A face is gone."""


class FaceServer:
    """The daemon's end of the local socket. ``on_retire`` is called when a face wants us gone: a newer one, or the owner's."""

    def __init__(self, host: Host, *, version: str, on_retire: Callable[[], None]) -> None:
        self.version = version
        self.on_retire = on_retire
        self._host = host
        self._faces: dict[_Seat, Hello] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, path: Path) -> None:
        """Listen at ``path``. Whoever calls holds the lock of the profile, so a socket that is there already is stale (CLI-23).

        Raises:
            OSError: The socket cannot be made.
        """
        listener = _listener(path)
        try:
            self._server = await asyncio.start_unix_server(self._meet, sock=listener, limit=LINE_BYTES)
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Take no more faces and end those that are here."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def came(self, seat: "_Seat", face: Hello) -> Desk:
        """Seat a face that has said who it is."""
        self._faces[seat] = face
        return self._host.attach(face)

    async def left(self, seat: "_Seat") -> None:
        """Note that a face is gone; one that was turned away never came."""
        if face := self._faces.pop(seat, None):
            await self._host.detach(face)

    def alone(self, face: Hello) -> bool:
        """Tell whether no other such face of the session is here."""
        same = [one for one in self._faces.values() if (one.face, one.client) == (face.face, face.client)]
        return all(one.session != face.session for one in same)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        seat = _Seat(self, reader, writer)
        try:
            await seat.serve()
        except (ConnectionError, TimeoutError, msgspec.DecodeError, ValueError) as fault:
            _log.info("face.dropped reason=%s", type(fault).__name__)
        except asyncio.CancelledError:
            _log.debug("face.ended by=daemon")  # the stream's own callback takes a cancelled task for a fault
        finally:
            await seat.close()
            await self.left(seat)
            self._tasks.discard(task)


class _Seat:
    """One face at the socket."""

    def __init__(self, server: FaceServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._desk: Desk | None = None

    async def serve(self) -> None:
        """Serve until the face is gone.

        Raises:
            ConnectionError, TimeoutError, msgspec.DecodeError, ValueError: It does not speak as it should.
        """
        if not _same_user(self._writer):
            raise ConnectionError("another user")
        async with asyncio.timeout(HELLO_SECONDS):
            hello = await self._next()
        if not isinstance(hello, Hello):
            raise ConnectionError("no hello")
        if hello.face in ALONE and not self._server.alone(hello):
            await self._write(line_of(TurnedAway("busy")))
            return
        if hello.protocol == PROTOCOL:
            self._desk = self._server.came(self, hello)
        await self._write(line_of(Welcome(PROTOCOL, self._server.version, os.getpid())))
        while (said := await self._next()) is not None:
            if isinstance(said, Retire):
                self._server.on_retire()
            elif self._desk is None:
                raise ConnectionError("another protocol")
            else:
                self._take(said)

    async def close(self) -> None:
        """End all calls and the line."""
        calls = list(self._calls.values())
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _next(self) -> Said | None:
        line = await self._reader.readline()
        return said_in(line) if line.endswith(b"\n") else None

    def _take(self, said: Said) -> None:
        if isinstance(said, Call):
            if said.n in self._calls or len(self._calls) >= CALLS_MOST:
                raise ValueError("a number in use, or too many calls")
            task = asyncio.create_task(self._answer(said))
            self._calls[said.n] = task
            task.add_done_callback(lambda _: self._calls.pop(said.n, None))
        elif isinstance(said, Cancel) and (running := self._calls.get(said.n)):
            running.cancel()

    async def _answer(self, call: Call) -> None:
        try:
            await self._do(call)
        except ConnectionError:
            _log.debug("face.gone call=%s", call.method)
        except (MagiError, DeskError) as error:
            await self._fail(call, error)
        except Exception:  # noqa: BLE001  one call of one face must not end the others
            _log.exception("call.failed method=%s", call.method)
            await self._fail(call, DeskError("The magi daemon made a mistake; its log says which."))

    async def _do(self, call: Call) -> None:
        method = METHODS.get(call.method)
        if method is None:
            raise DeskError(f"This daemon does not know `{call.method}`. It is magi {self._server.version}.", 2)
        args = _read(method, call)
        function = getattr(self._desk, method.name)
        if method.streams:
            async with contextlib.aclosing(function(**args)) as values:
                async for value in values:
                    await self._write(*lines_of(Event(call.n, value_of(value))))
            result = None
        else:
            result = await function(**args)
        await self._write(*lines_of(Result(call.n, value_of(result))))

    async def _fail(self, call: Call, error: MagiError | DeskError) -> None:
        with contextlib.suppress(ConnectionError):
            await self._write(line_of(failure_of(call.n, error)))

    async def _write(self, *lines: bytes) -> None:
        # In one go: parts of a value and the value stay together, and drain may be waited for by several calls at once.
        self._writer.writelines(lines)
        await self._writer.drain()


def _read(method: Method, call: Call) -> Mapping[str, Any]:
    try:
        return method.read_args(call.args)
    except msgspec.DecodeError as fault:
        raise DeskError(f"{method.name}: {fault}", 2) from None


def _listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))  # in a directory of 0700: nobody gets in before the next line
        path.chmod(0o600)
    except BaseException:
        listener.close()
        raise
    return listener


def _same_user(writer: asyncio.StreamWriter) -> bool:
    """Tell whether the other end is a process of our user; where the system does not say, the directory's mode does."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())
