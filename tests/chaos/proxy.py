"""A proxy for any TCP or unix server that does to the bytes between what bad networks do. Every fault can be changed while it runs.

::

    client --up--> | Way: latency, jitter, bandwidth, hole, cut after | --up--> server
           <-down- |        one for each direction and connection     | <-down-

A *hole* holds bytes back until it is filled again, as a network that drops packets does with a TCP connection.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from tests.chaos.pace import pause

CHUNK_BYTES = 65536
QUEUED_MOST = 64
HEAD_BYTES = 4096
"""How much of what a client says first is kept, to tell connections apart by."""


@dataclass(slots=True)
class Faults:
    """What happens to the bytes of one direction."""

    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    """Added to each piece, at random up to so much; bytes never overtake each other."""
    bytes_per_second: float = 0.0
    """0 is no limit."""
    hole: bool = False
    cut_after: int | None = None
    """Both ends are reset once so many more bytes have passed; 0 cuts before the next one."""


class Readable(Protocol):
    """Where bytes come from."""

    async def read(self, most: int) -> bytes:
        """Return some bytes; none at the end."""


class Way:
    """One direction of one connection. Its own faults, if it has some, stand in the place of the proxy's."""

    def __init__(self, proxy: "Proxy", general: Callable[[], Faults]) -> None:
        self._proxy = proxy
        self._general = general
        self.own: Faults | None = None
        self.passed_bytes = 0

    @property
    def faults(self) -> Faults:
        return self.own or self._general()

    async def pass_on(self, reader: "Readable", writer: asyncio.StreamWriter, cut: Callable[[], None]) -> None:
        """Move bytes until the sender ends; ``cut`` both ends when a fault says so, or the receiver breaks."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED_MOST)
        sending = asyncio.create_task(self._send(queue, writer, cut))
        try:
            with contextlib.suppress(OSError):  # an end that breaks is an end
                while data := await reader.read(CHUNK_BYTES):
                    await queue.put((self._due(), data))
            await queue.put((self._due(), b""))
            await sending
        finally:
            sending.cancel()

    def _due(self) -> float:
        faults = self.faults
        late = faults.latency_seconds + self._proxy.random.uniform(0, faults.jitter_seconds)
        return asyncio.get_running_loop().time() + late

    async def _send(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, cut: Callable[[], None]
    ) -> None:
        broken = False
        while True:
            due, data = await queue.get()
            await self._wait(due)
            if not data:
                break
            if not broken:
                try:
                    broken = await self._write(data, writer)
                except OSError:
                    broken = True
                if broken:
                    cut()
        if not broken and writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def _wait(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        if due > loop.time():
            await pause(due - loop.time())
        while self.faults.hole:
            await self._proxy.changed()

    async def _write(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Write what may pass; tell whether the connection is to be cut now."""
        faults = self.faults
        if faults.cut_after is not None:
            data = data[: faults.cut_after]
            faults.cut_after -= len(data)
        if faults.bytes_per_second:
            await pause(len(data) / faults.bytes_per_second)
        writer.write(data)
        self.passed_bytes += len(data)
        await writer.drain()
        if faults.cut_after != 0:
            return False
        faults.cut_after = None
        return True


class Passage:
    """One connection through the proxy."""

    def __init__(self, proxy: "Proxy", client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.up = Way(proxy, lambda: proxy.up)
        self.down = Way(proxy, lambda: proxy.down)
        self.head = b""
        """What the client said first."""
        self._client = client
        self._server = server

    def reset(self) -> None:
        """Break both ends."""
        self._client.transport.abort()
        self._server.transport.abort()

    def half_open(self) -> None:
        """Break the server's end and leave the client's as it is: nobody tells the client."""
        self.down.own = Faults(hole=True)
        self._server.transport.abort()


class Proxy:
    """Listens on a loopback port in front of one server. Use as ``async with Proxy(...) as proxy``."""

    def __init__(self, target: tuple[str, int] | Path, *, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.up = Faults()
        self.down = Faults()
        self.passages: list[Passage] = []
        self.accepted_count = 0
        self.port = 0
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._changed: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def matching(self, word: bytes) -> list[Passage]:
        """Return the open connections whose client said ``word`` at its beginning."""
        return [passage for passage in self.passages if word in passage.head.lower()]

    @contextlib.asynccontextmanager
    async def hole(self) -> AsyncIterator[None]:
        """Let nothing pass in either direction, on any connection, new ones too."""
        self.up.hole = self.down.hole = True
        try:
            yield
        finally:
            self.up.hole = self.down.hole = False
            self.heal()

    def heal(self) -> None:
        """Have faults that were changed looked at again; to be called when a hole is filled."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def reset(self) -> None:
        """Break all connections."""
        for passage in tuple(self.passages):
            passage.reset()

    async def changed(self) -> None:
        """Wait for the next :meth:`heal`."""
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted_count += 1
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            return  # an end that broke ends this connection and nothing else
        finally:
            await _end(writer)
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.up.hole and self.down.hole:
            await self.changed()
        if isinstance(self._target, Path):
            inner_reader, inner_writer = await asyncio.open_unix_connection(self._target)
        else:
            inner_reader, inner_writer = await asyncio.open_connection(*self._target)
        passage = Passage(self, writer, inner_writer)
        self.passages.append(passage)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(passage.up.pass_on(_Overheard(reader, passage), inner_writer, passage.reset))
                group.create_task(passage.down.pass_on(inner_reader, writer, passage.reset))
        finally:
            self.passages.remove(passage)
            await _end(inner_writer)


class _Overheard:
    """A reader that keeps the beginning of what it reads."""

    def __init__(self, reader: asyncio.StreamReader, passage: Passage) -> None:
        self._reader = reader
        self._passage = passage

    async def read(self, most: int) -> bytes:
        data = await self._reader.read(most)
        if len(self._passage.head) < HEAD_BYTES:
            self._passage.head += data[:HEAD_BYTES]
        return data


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
