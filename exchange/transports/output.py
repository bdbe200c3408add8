"""What one socket has to say: the frames of one tick of the loop, joined into one write."""

import asyncio

from exchange.transports.outbox import Outbox

_TICK_BYTES = 64 * 1024  # more than this is not held back until the end of the tick


class Output:
    """Frames on their way to a transport, in order (``outbox.Sender``)."""

    __slots__ = ("_frames", "_outbox", "_transport", "held_bytes", "written_bytes")

    def __init__(self, transport: asyncio.WriteTransport, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        self._frames: list[bytes] | None = None  # of this tick
        self.held_bytes = 0
        """What the transport was not given yet."""
        self.written_bytes = 0
        """What the transport was ever given."""

    @property
    def waiting_bytes(self) -> int:
        """What the transport was given and the kernel has not taken. Under TLS some of that is not known to anybody."""
        return self._transport.get_write_buffer_size()

    def put(self, frame: bytes) -> None:
        """Let a frame leave at the end of this tick, or at once if that makes much."""
        frames = self._frames
        if frames is None:
            self._frames = [frame]
            self._outbox.add(self)
        else:
            frames.append(frame)
        self.held_bytes += len(frame)
        if self.held_bytes > _TICK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Give the frames of this tick to the transport."""
        frames = self._frames
        if frames is not None:
            self._frames = None
            self.written_bytes += self.held_bytes
            self.held_bytes = 0
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def drop(self) -> None:
        """Forget the frames of this tick."""
        self._frames, self.held_bytes = None, 0
