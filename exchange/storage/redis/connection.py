"""One pipelined connection: what is asked in one tick leaves in one write, and replies come back in order.

No future, task or timer per command. A command is its bytes and a callback; the callback runs exactly once::

    send -> buffered -> handed to the transport -> replied            done(reply)
               |                   |
               +-- break           +-- break: nobody knows            done(StorageUnavailable(sent=True))
               never left: done(StorageUnavailable(sent=False))

Nothing may raise out of a protocol callback: uvloop would close the connection that everybody shares.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import cast

import structlog

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.resp import EMPTY, ProtocolError, ReplyError, Word, kind, pack, reader

log = structlog.get_logger()

WRITE_COUNT = 256
WRITE_BYTES = 256 * 1024
INFLIGHT_COUNT = 4096
INFLIGHT_BYTES = 32 * 1024 * 1024
TICKS_COUNT = 10
"""Into how many looks a time-out is divided."""

Done = Callable[[object], None]


class Break(StrEnum):
    """Why a connection ended (closed list: it is a metric label)."""

    LOST = "lost"  # the other side or the network ended it
    TIMEOUT = "timeout"  # no reply in time
    PROTOCOL = "protocol"  # bytes that are not RESP, or a reply that nobody asked for
    CONFIRMATION = "confirmation"  # a confirmation that nobody asked for: a subscription may have been away
    PROBE = "probe"  # publishes do not come through (DEL-13)
    DEMOTED = "demoted"  # the server is not the primary any more
    STOPPED = "stopped"  # we ended it


@dataclass(slots=True)
class Counters:
    """What happened since the start; it outlives the connections."""

    commands: int = 0
    batches: int = 0
    messages: int = 0
    unknown: int = 0
    """Commands that had left when their connection broke."""
    errors: Counter[str] = field(default_factory=Counter)
    """Error replies by kind."""
    rebuilds: Counter[str] = field(default_factory=Counter)
    """Broken lanes by ``Break``."""


def settle(done: Done, reply: object) -> None:
    """Call back, and survive it."""
    try:
        done(reply)
    except Exception:
        log.exception("lane.callback_failed")


class Connection(asyncio.Protocol):
    """A connection that carries commands."""

    def __init__(
        self,
        counters: Counters,
        *,
        timeout_seconds: float,
        on_break: Callable[[Break], None],
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        """Make it for ``create_connection`` and its kin.

        ``on_break`` is called once, before the commands that wait are failed. ``on_read`` is called when replies were
        worked off, so there may be room again.
        """
        self.broken: Break | None = None
        self._counters = counters
        self._on_break = on_break
        self._on_read = on_read
        self._loop = asyncio.get_running_loop()
        self._gone = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._reader = reader(self._refused)
        self._waiting: deque[tuple[Done, int]] = deque()
        self._waiting_bytes = 0
        self._out = bytearray()
        self._out_count = 0
        self._flushing = False
        self._issued = 0
        self._tick_seconds = timeout_seconds / TICKS_COUNT
        self._marks: deque[int] = deque(maxlen=TICKS_COUNT + 1)
        self._ticker: asyncio.TimerHandle | None = None

    # --- asking

    @property
    def inflight(self) -> int:
        """How many commands wait for their reply."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether as much waits as may wait (DEL-10). :meth:`send` does not look."""
        return len(self._waiting) >= INFLIGHT_COUNT or self._waiting_bytes >= INFLIGHT_BYTES

    def send(self, data: bytes, done: Done) -> None:
        """Queue one packed command; ``done`` gets its reply, in order. Never raises, never calls back from in here."""
        if self.broken is not None:
            self._loop.call_soon(settle, done, StorageUnavailable(sent=False))
            return
        size = len(data)
        self._waiting.append((done, size))
        self._waiting_bytes += size
        self._out += data
        self._out_count += 1
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        elif self._out_count >= WRITE_COUNT or len(self._out) >= WRITE_BYTES:
            self._write()

    async def reply(self, *command: Word) -> object:
        """Send a command and return what ``done`` would get. Cancelling loses the reply, not the order."""
        future: asyncio.Future[object] = self._loop.create_future()
        self.send(pack(command), partial(resolve, future))
        return await future

    def _flush(self) -> None:
        self._flushing = False
        if self._out_count:
            self._write()

    def _write(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            # uvloop raises when a closed transport is written to. Not closed from in here: `send` never calls back.
            self._loop.call_soon(self.close, Break.LOST)
            return
        out, self._out = self._out, bytearray()
        count, self._out_count = self._out_count, 0
        self._issued += count
        self._counters.commands += count
        self._counters.batches += 1
        if self._ticker is None:
            self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        try:
            transport.write(out)
        except (OSError, RuntimeError):
            self._loop.call_soon(self.close, Break.LOST)

    # --- hearing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        if self.broken is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        gets, waiting = self._reader.gets, self._waiting
        freed = 0
        self._reader.feed(data)
        try:
            while (reply := gets()) is not EMPTY:
                if not waiting:
                    self.close(Break.PROTOCOL)
                    return
                done, size = waiting.popleft()
                freed += size
                try:
                    done(reply)
                except Exception:
                    log.exception("lane.callback_failed")
        except ProtocolError:
            self.close(Break.PROTOCOL)
            return
        self._waiting_bytes -= freed
        self._on_read()

    def _refused(self, text: str) -> Exception:
        word = kind(text)
        self._counters.errors[word] += 1
        if word == "READONLY":
            # Not here: the reader is in the middle of a reply.
            self._loop.call_soon(self.close, Break.DEMOTED)
        return ReplyError(text)

    # --- time

    def _tick(self) -> None:
        """Break if what was written before the oldest mark has no reply yet.

        Looks are counted, not seconds: after a pause of this process there was one look, and the replies that lie in
        the socket are read before the next.
        """
        answered = self._issued - (len(self._waiting) - self._out_count)
        self._marks.append(self._issued)
        if len(self._marks) > TICKS_COUNT and self._marks[0] > answered:
            self._ticker = None
            self.close(Break.TIMEOUT)
        elif self._issued > answered:
            self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        else:
            self._marks.clear()
            self._ticker = None

    # --- the end

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            log.info("lane.connection_lost", error=repr(exc))
        self.close(Break.LOST)
        if not self._gone.done():
            self._gone.set_result(None)

    def close(self, why: Break) -> None:
        """End the connection at once and fail every command that waits. Once only; later calls do nothing."""
        if self.broken is not None:
            return
        self.broken = why
        if self._ticker is not None:
            self._ticker.cancel()
        if self._transport is not None:
            self._transport.abort()
        written = len(self._waiting) - self._out_count
        self._counters.unknown += written
        self._on_break(why)
        orphans = list(self._waiting)
        self._waiting.clear()  # in place: a reader further up the stack must not call them again
        for position, (done, _) in enumerate(orphans):
            settle(done, StorageUnavailable(sent=position < written))

    async def gone(self) -> None:
        """Wait until the transport has let go of its socket."""
        if self._transport is not None:
            await asyncio.shield(self._gone)


def resolve(future: asyncio.Future[object], reply: object) -> None:
    """Hand a reply to whoever awaits it, if anybody still does."""
    if not future.done():
        future.set_result(reply)
