"""One open WebSocket under uvicorn: frames in, messages up; messages down, frames out.

Theory of operation. The socket cuts what comes in into frames. A plain one (a whole, masked text message in one frame) is
unmasked and handed up on the spot: that is the hot path, and it makes no task, future, timer or queue. Pongs only show that
the peer lives. Every other frame goes, one at a time, to a codec (``websockets``' sans-IO protocol, made when the first such
frame comes): it knows about fragments, pings and closing. Sizes and headers are judged before a payload is waited for, so
no more than one frame or message below the outer limit is ever held.

Three facts say where the socket stands::

    open        messages go both ways
    not open    a close frame was sent, or the peer is gone: nothing goes up or down, the peer's close frame is awaited
    deaf        nothing that comes in is looked at any more; the end of TCP is awaited

The wheel's visits watch the peer. The rules it is held to may change at any time, also between two frames of one chunk.
``ended`` is told when the connection is lost, never from inside a call of the conversation, and the first cause is the one
it hears.
"""

import asyncio
from typing import Any

import structlog
from websockets.frames import CloseCode

from exchange.entropy import new_id
from exchange.front import Ending, SocketRules, Welcome
from exchange.transports.codec import Codec, Verdict
from exchange.transports.frames import (
    MASKED,
    PING,
    PONG_FINAL,
    TEXT_FINAL,
    extent,
    flaw,
    is_control,
    is_utf8,
    text_frame,
)
from exchange.transports.outbox import Outbox
from exchange.transports.output import Output
from exchange.transports.watch import Due, Watch
from exchange.transports.wheel import Wheel

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

_REASON_BYTES = 123  # RFC 6455 5.5
_LARGE_BYTES = 16 * 1024  # above this copying a payload is dearer than a view of it

log = structlog.get_logger()


class WebSocket(asyncio.Protocol):
    """A socket for one conversation, and its uvicorn connection. See ``exchange.front`` for both contracts."""

    __slots__ = (
        "_busy",
        "_closing_at",
        "_codec",
        "_connections",
        "_conversation",
        "_deaf",
        "_ending",
        "_heard",
        "_need",
        "_open",
        "_output",
        "_paused",
        "_plain",
        "_rest",
        "_rules",
        "_transport",
        "_watch",
        "_wheel",
    )

    def __init__(
        self, transport: asyncio.Transport, welcome: Welcome, *, wheel: Wheel, outbox: Outbox, connections: set[Any]
    ) -> None:
        self._transport = transport
        self._conversation = welcome.conversation
        self._rules = rules = welcome.rules
        self._wheel = wheel
        self._connections = connections
        self._codec: Codec | None = None

        self._open = True
        self._deaf = False
        self._paused = False
        self._plain = True  # open, not paused, not inside a fragmented message: plain frames may take the short way
        self._ending: Ending | None = None

        self._rest: bytearray | None = None  # bytes not yet worked off
        self._need = 0  # below this many of them there is nothing to do
        self._output = Output(transport, outbox)

        connections.add(self)
        wheel.add(self)
        self._watch = Watch(rules, wheel.now)
        self._heard = self._busy = False  # since the last visit
        self._closing_at = 0.0
        transport.set_write_buffer_limits(high=rules.buffer_bytes)

    def start(self, response: bytes, early: bytes) -> None:
        """Send the response to the upgrade request, open the conversation, and read what came behind the request."""
        self._output.put(response)
        try:
            self._conversation.opened(self)
        except Exception as error:  # noqa: BLE001  nobody above could handle it
            self._failed(error)
        if early:
            self.data_received(early)

    # --- the conversation's side -------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        if self._open:
            self._busy = True
            self._output.put(text_frame(message))

    def close(self, code: int, reason: str, ending: Ending, *, discard: bool = False) -> None:
        if not self._open:
            return
        self._leave(ending)
        if discard:
            self._output.drop()
            if self._output.waiting_bytes:
                # uvloop gives the kernel what was written in this tick after it; only what is left then had no room.
                asyncio.get_running_loop().call_soon(self._close_if_empty, code, reason, ending)
                return
        self._begin_close(code, reason)

    def _close_if_empty(self, code: int, reason: str, ending: Ending) -> None:
        if self._deaf:
            return
        if self._output.waiting_bytes:
            self.abort(ending)
        else:
            self._begin_close(code, reason)

    def _begin_close(self, code: int, reason: str) -> None:
        codec = self._framing()
        codec.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))
        self._pump(codec)
        if self._paused:  # the answer must be read
            self._paused = False
            asyncio.get_running_loop().call_soon(self._go_on)

    def abort(self, ending: Ending) -> None:
        self._leave(ending)
        self._turn_deaf()
        self._output.drop()
        self._transport.abort()

    def pause(self) -> None:
        if self._open and not self._paused:
            self._paused = True
            self._plain = False
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._open and self._paused:
            self._paused = False
            self._plain = self._codec is None or not self._codec.inside
            # Not here and now: the conversation may be in the middle of something.
            asyncio.get_running_loop().call_soon(self._go_on)

    def adopt(self, rules: SocketRules) -> None:
        if not self._open:
            return
        self._rules = rules
        self._watch.adopt(rules, self._wheel.now)
        if self._codec is not None:
            self._codec.message_bytes = rules.message_bytes
        self._transport.set_write_buffer_limits(high=rules.buffer_bytes)

    @property
    def buffered_bytes(self) -> int:
        return self._output.held_bytes + self._output.waiting_bytes

    # --- uvicorn's and the loop's side -------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Close in order; uvicorn asks for it when it stops."""
        self.close(CloseCode.GOING_AWAY, "", Ending.DRAIN)

    def visit(self, now: float) -> None:
        """Do what is due; the wheel calls it about once a second."""
        if not self._open:
            if now - self._closing_at >= self._rules.close_seconds:
                self._transport.abort()
            return
        due = self._watch.look(
            now,
            heard=self._heard,
            busy=self._busy,
            paused=self._paused,
            written_bytes=self._output.written_bytes,
            waiting_bytes=self._output.waiting_bytes,
        )
        self._heard = self._busy = False
        if due is Due.PING:
            self._output.put(PING)
        elif due is Due.STALLED:
            self.abort(Ending.SLOW_CONSUMER)
        elif due is Due.SILENT:
            self.abort(Ending.LIVENESS)
        elif due is Due.IDLE:
            self.close(*self._rules.idle_close, Ending.IDLE)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        rest = self._rest
        if rest is None:
            at = self._take(data)
            if at < len(data) and not self._deaf:
                self._rest = bytearray(memoryview(data)[at:])
        else:
            rest += data
            if len(rest) >= self._need:
                self._take_rest(rest)

    def eof_received(self) -> None:
        self._leave(Ending.CLIENT)
        self._turn_deaf()
        self._output.flush()  # the transport closes itself after what was written

    def pause_writing(self) -> None:
        """The transport holds more than ``buffer_bytes``."""
        self.abort(Ending.SLOW_CONSUMER)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  a broken connection is like a closed one
        self._leave(Ending.CLIENT)
        self._turn_deaf()
        self._output.drop()
        self._wheel.remove(self)
        self._connections.discard(self)
        try:
            self._conversation.ended(self._ending or Ending.CLIENT)
        except Exception:
            log.exception("socket.failed", incident=new_id())

    # --- in ----------------------------------------------------------------------------------------------------------

    def _take(self, data: bytes | bytearray) -> int:
        """Work off the frames at the head of ``data``; return how many bytes that were. The hot path."""
        at, end = 0, len(data)
        try:
            while at < end:
                if self._plain and data[at] == TEXT_FINAL and end - at > 5:
                    length = data[at + 1] - MASKED
                    body = at + 6
                    if length > 125:
                        head, length = extent(data, at)
                        body = at + head
                    stop = body + length
                    if 0 <= length <= self._rules.message_bytes and stop <= end:
                        message = apply_mask(
                            # No name may hold the view: what it looks at could not be cut.
                            data[body:stop] if length < _LARGE_BYTES else memoryview(data)[body:stop],
                            data[body - 4 : body],
                        )
                        at = stop
                        if message.isascii() or is_utf8(message):
                            self._busy = True
                            self._conversation.received(message)
                        else:
                            self._fail(CloseCode.INVALID_DATA, "not UTF-8", Ending.PROTOCOL)
                        continue
                if self._paused or self._deaf:
                    break
                stop = self._pass_on(data, at)
                if stop == at:
                    break
                at = stop
        except Exception as error:  # noqa: BLE001  the loop would close the socket without a word
            self._failed(error)
        return at

    def _pass_on(self, data: bytes | bytearray, at: int) -> int:
        """Give the frame at ``at`` to the codec; return where it ends, or ``at`` if more of it must come first."""
        here = len(data) - at
        if here < 2:
            self._need = 2
            return at
        first = data[at]
        wrong = flaw(first, data[at + 1])
        if wrong:
            self._fail(CloseCode.PROTOCOL_ERROR, wrong, Ending.PROTOCOL)
            return at
        head, length = extent(data, at)
        control = is_control(first)
        held = self._codec.held_bytes if self._codec is not None else 0
        if here >= head and not control and length > self._rules.outer_bytes - held:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "message too big", Ending.SIZE)
            return at
        if here < head + length:
            self._need = head + length if here >= head else head
            return at
        stop = at + head + length
        if control and not self._watch.allow_control(self._wheel.now):
            self.abort(Ending.FLOOD)
        elif first != PONG_FINAL:
            self._consult(data[at:stop], control=control)
        return stop

    def _consult(self, frame: bytes | bytearray, *, control: bool) -> None:
        """Do what the codec makes of a frame."""
        codec = self._framing()
        message = codec.take(frame)
        if self._open and not control:
            self._plain = not (codec.inside or self._paused)
            self._busy = self._busy or message is not None  # a part of a message is no activity (CORAL-6)
            if message is Verdict.OVERSIZED:
                self._conversation.oversized()
            elif message is Verdict.NOT_UTF8:
                self._fail(CloseCode.INVALID_DATA, message.value, Ending.PROTOCOL)
            elif message is not None:
                self._conversation.received(message)
        self._pump(codec)

    def _take_rest(self, rest: bytearray) -> None:
        self._need = 0
        del rest[: self._take(rest)]
        if not rest or self._deaf:
            self._rest = None

    def _go_on(self) -> None:
        """Read again after a pause: first what had come before it."""
        if self._rest is not None:
            self._take_rest(self._rest)
        if not self._paused:
            self._transport.resume_reading()

    # --- the end -----------------------------------------------------------------------------------------------------

    def _framing(self) -> Codec:
        if self._codec is None:
            self._codec = Codec(self._rules.message_bytes)
        return self._codec

    def _pump(self, codec: Codec) -> None:
        """Send what the codec has to say; its last word ends our half of TCP, not before the peer could read it."""
        for chunk in codec.output():
            if chunk:
                self._output.put(chunk)
                continue
            self._leave(Ending.PROTOCOL if codec.broken else Ending.CLIENT)
            self._turn_deaf()
            self._output.flush()
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def _fail(self, code: int, reason: str, ending: Ending) -> None:
        """End the socket for a reason that the peer is told, without waiting for its answer (RFC 6455 7.1.7)."""
        self._leave(ending)
        codec = self._framing()
        codec.fail(code, reason)
        self._pump(codec)

    def _failed(self, error: Exception) -> None:
        """End the socket because of an error of ours."""
        log.error("socket.failed", incident=new_id(), exc_info=error)
        if not self._deaf:
            self._fail(CloseCode.TRY_AGAIN_LATER, "", Ending.SERVER_ERROR)

    def _leave(self, ending: Ending) -> None:
        self._open = self._plain = False
        if self._ending is None:
            self._ending = ending
            self._closing_at = self._wheel.now

    def _turn_deaf(self) -> None:
        self._deaf = True
        self._rest = None
