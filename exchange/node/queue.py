"""The frames that were sent to a socket and that the kernel has not taken yet (CORAL-23)."""

from collections import deque


class Queue:
    """Counts frames by what the socket says of bytes: nobody tells when a frame has left."""

    __slots__ = ("_sizes", "_sum_bytes")

    def __init__(self) -> None:
        self._sizes: deque[int] = deque()
        self._sum_bytes = 0

    def put(self, frame_bytes: int) -> None:
        """A frame was sent, after all before it."""
        size = frame_bytes + _head_bytes(frame_bytes)
        self._sizes.append(size)
        self._sum_bytes += size

    def waiting_count(self, buffered_bytes: int) -> int:
        """Return how many frames are not wholly gone, if the last ``buffered_bytes`` of all are still here."""
        sizes = self._sizes
        while sizes and self._sum_bytes - sizes[0] >= buffered_bytes:
            self._sum_bytes -= sizes.popleft()
        return len(sizes)


def _head_bytes(frame_bytes: int) -> int:
    """Return the length of a frame's header (RFC 6455 section 5.2)."""
    return 2 if frame_bytes < 126 else 4 if frame_bytes < 1 << 16 else 10
