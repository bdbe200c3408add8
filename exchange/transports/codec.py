"""What the socket leaves to others of RFC 6455: ``websockets``' sans-IO protocol, with messages put together again."""

import logging
from enum import Enum

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from exchange.transports.frames import is_utf8

LOGGER = logging.getLogger("exchange.transports.codec")
# Below this level `websockets` writes lines per connection, and whole frames.
LOGGER.setLevel(logging.WARNING)

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class Verdict(Enum):
    """What is wrong with a message that is complete."""

    OVERSIZED = "oversized"
    NOT_UTF8 = "not UTF-8"


class Codec:
    """One socket's dialogue from the first unusual frame on. It is given whole frames, one at a time."""

    __slots__ = ("_parts", "_protocol", "_text", "held_bytes", "message_bytes")

    def __init__(self, message_bytes: int) -> None:
        self._protocol = ServerProtocol(state=State.OPEN, max_size=None, logger=LOGGER)  # the socket judges sizes
        self.message_bytes = message_bytes
        """Above this a message is oversized. May change at any time, also inside a message."""
        self._parts: bytearray | None = None
        self._text = False
        self.held_bytes = 0
        """Payload of the message that is not complete yet, also what of it was dropped."""

    @property
    def inside(self) -> bool:
        """Whether a fragmented message has begun and not ended."""
        return self._parts is not None

    @property
    def broken(self) -> bool:
        """Whether the peer broke the rules of fragments or of closing."""
        return self._protocol.parser_exc is not None

    def take(self, frame: bytes | bytearray) -> bytes | Verdict | None:
        """Take a frame; return the message it completes, if any. Look at :meth:`output` afterwards."""
        self._protocol.receive_data(frame)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                return self._assemble(event)
        return None

    def close(self, code: int, reason: str) -> None:
        """Begin an orderly close."""
        self._protocol.send_close(code, reason)

    def fail(self, code: int, reason: str) -> None:
        """End the dialogue; nothing that comes after it is understood (RFC 6455 7.1.7)."""
        self._protocol.fail(code, reason)

    def output(self) -> list[bytes]:
        """Return what must be sent now. An empty chunk is the last one: our half of TCP ends there."""
        return self._protocol.data_to_send()

    def _assemble(self, frame: Frame) -> bytes | Verdict | None:
        if self._parts is None:
            self._parts = bytearray()
            self._text = frame.opcode is Opcode.TEXT
        self.held_bytes += len(frame.data)
        if self.held_bytes <= self.message_bytes:
            self._parts += frame.data
        else:
            self._parts.clear()  # counted on, but not kept (MAGI-4)
        if not frame.fin:
            return None
        message, size = bytes(self._parts), self.held_bytes
        self._parts, self.held_bytes = None, 0
        if len(message) < size:  # not `size > message_bytes`: that may have grown since something was dropped
            return Verdict.OVERSIZED
        return Verdict.NOT_UTF8 if self._text and not is_utf8(message) else message
