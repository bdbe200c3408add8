"""The desk as a face sees it: every call goes to the daemon over the local socket (CLI-2, CLI-24)."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Self, cast

import msgspec

from magi.client.errors import TooLarge
from magi.client.outbox import new_id
from magi.daemon.port import DaemonAway, Desk, DeskError
from magi.daemon.protocol import (
    LINE_BYTES,
    METHODS,
    PROTOCOL,
    Call,
    Cancel,
    Event,
    Failed,
    Hello,
    Method,
    Part,
    Result,
    Retire,
    TurnedAway,
    Welcome,
    error_of,
    line_of,
    told_in,
    value_of,
)

WELCOME_SECONDS = 5.0
REPEATABLE: Final = frozenset({"status", "friends", "ask", "wait", "inbox", "history", "held"})
"""Calls that may be made again on a new line: doing them twice is as good as once. An ask has an id of ours."""


class TurnedAwayError(DeskError):
    """The daemon serves another face of this kind already."""


class FaceLine:
    """One connection to a daemon."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, welcome: Welcome) -> None:
        self.welcome = welcome
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Queue[Result | Event | Failed | None]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, path: Path, hello: Hello) -> Self:
        """Connect to the daemon that listens at ``path``.

        Raises:
            DaemonAway: Nobody listens there.
            TurnedAwayError: It does not want this face.
        """
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(path), limit=LINE_BYTES)
        except (OSError, TimeoutError):
            raise DaemonAway from None
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                writer.write(line_of(hello))
                told = told_in(await reader.readline())
        except (OSError, TimeoutError, msgspec.DecodeError):
            writer.transport.abort()
            raise DaemonAway from None
        except BaseException:
            writer.transport.abort()
            raise
        if isinstance(told, Welcome):
            return cls(reader, writer, told)
        writer.transport.abort()
        raise TurnedAwayError(told.reason if isinstance(told, TurnedAway) else "not welcome")

    @property
    def ended(self) -> bool:
        """Whether the daemon is gone."""
        return self._reading.done()

    async def values(self, method: Method, args: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Call a method and yield its values, its one result last. Leaving the iteration cancels the call.

        Raises:
            DaemonAway: The line ended before the reply.
            TooLarge: The call does not fit into a line. It was not made.
        """
        n = next(self._numbers)
        line = line_of(Call(n, method.name, value_of(args)))
        if len(line) > LINE_BYTES:
            raise TooLarge("Message too large")
        replies = self._replies[n] = asyncio.Queue()
        finished = False
        try:
            await self._write(line)
            while True:
                reply = None if self.ended and replies.empty() else await replies.get()
                finished = not isinstance(reply, Event)
                if reply is None:
                    raise DaemonAway(f"The magi daemon ended meanwhile. `{method.name}` may or may not have been done.")
                if isinstance(reply, Failed):
                    raise error_of(reply)
                if isinstance(reply, Event):
                    yield method.read_value(reply.value)
                elif method.streams:
                    return
                else:
                    yield method.read_value(reply.value)
                    return
        finally:
            del self._replies[n]
            if not finished and not self.ended:
                self._writer.write(line_of(Cancel(n)))

    async def retire(self) -> None:
        """Ask the daemon to leave, and wait until it has closed the line."""
        await self._write(line_of(Retire()))
        await asyncio.wait([self._reading])

    async def close(self) -> None:
        """Leave the daemon; what was called is cancelled there."""
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _write(self, said: bytes) -> None:
        with contextlib.suppress(OSError):  # the reader tells everybody that the line has ended
            self._writer.write(said)
            await self._writer.drain()

    async def _read(self) -> None:
        parts: dict[int, list[str]] = {}
        try:
            while line := await self._reader.readline():
                told = told_in(line)
                if isinstance(told, Part):
                    parts.setdefault(told.n, []).append(told.text)
                elif isinstance(told, Result | Event | Failed):
                    if isinstance(told, Result | Event) and told.n in parts:
                        told.value = msgspec.Raw("".join(parts.pop(told.n)).encode())
                    if told.n in self._replies:
                        self._replies[told.n].put_nowait(told)
        except (OSError, ValueError):
            self._writer.transport.abort()  # a daemon that stutters is as good as none
        finally:
            for replies in self._replies.values():
                replies.put_nowait(None)


class RemoteDesk:
    """Implements :class:`Desk` by calling a daemon; ``dial`` finds one, or starts it, and is used again when it is gone.

    A call that was under way when the daemon died is made again if that is harmless, else it raises :class:`DaemonAway`.
    """

    def __init__(self, dial: Callable[[], Awaitable[FaceLine]]) -> None:
        self._dial = dial
        self._line: FaceLine | None = None
        self._dialling = asyncio.Lock()
        self._closed = False

    @classmethod
    async def open(cls, dial: Callable[[], Awaitable[FaceLine]]) -> Desk:
        """Connect at once, so that a daemon that cannot be had is an error here."""
        desk = cls(dial)
        await desk._connected()
        return cast("Desk", desk)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return one of ``METHODS``."""
        method = METHODS.get(name)
        if method is None:
            raise AttributeError(name)
        return self._stream_of(method) if method.streams else self._call_of(method)

    async def close(self) -> None:
        """Leave the daemon."""
        self._closed = True
        if self._line is not None:
            await self._line.close()

    def _call_of(self, method: Method) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            given = method.arguments(*args, **kwargs)
            if method.name == "ask" and not given.get("id"):
                given["id"] = new_id()
            try:
                return await self._once(method, given)
            except DaemonAway:
                if method.name not in REPEATABLE:
                    raise
            return await self._once(method, given)

        return call

    def _stream_of(self, method: Method) -> Callable[..., AsyncGenerator[Any, None]]:
        async def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            line = await self._connected()
            async with contextlib.aclosing(line.values(method, method.arguments(*args, **kwargs))) as values:
                async for value in values:
                    yield value

        return stream

    async def _once(self, method: Method, given: dict[str, Any]) -> Any:
        line = await self._connected()
        async with contextlib.aclosing(line.values(method, given)) as values:
            return await anext(values)

    async def _connected(self) -> FaceLine:
        async with self._dialling:
            if self._closed:
                raise DaemonAway("This desk was closed.")
            if self._line is None or self._line.ended:
                if self._line is not None:
                    await self._line.close()
                self._line = await self._dial()
            return self._line


def hello(face: str, *, version: str, client: str = "", session: str = "") -> Hello:
    """Return how this process introduces itself."""
    return Hello(PROTOCOL, version, face, client, session, os.getpid())
