"""Where log lines leave the process: a bounded buffer and one thread that writes it to a file descriptor.

Whoever logs only appends. A pipe that nobody empties or a terminal that was stopped blocks the thread and nothing else:
lines beyond ``WAITING_BYTES`` are dropped and counted, and when writing goes on one line says how many were lost.
A thread, because a descriptor shared with other processes can block even right after it was found writable, and making
it non-blocking would do so for them as well.
"""

import os
import threading
from collections.abc import Callable, Iterator

FLUSH_SECONDS = 0.2
WAITING_BYTES = 1024 * 1024
ATOMIC_BYTES = 4096
"""A write up to this size is not torn by those of other nodes on the same pipe (PIPE_BUF)."""


class Outlet:
    """Lines on their way out. Any thread may write; a line leaves within ``FLUSH_SECONDS``."""

    def __init__(self, fd: int, notice: Callable[[int], str]) -> None:
        """Start writing to ``fd``, which stays open. ``notice`` makes the line that says how many were dropped."""
        self.dropped_count = 0
        self._fd = fd
        self._notice = notice
        self._noticed_count = 0
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        # Reentrant: a signal handler that logs may interrupt a write.
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Add a line. Never blocks on the descriptor and never raises."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._waiting_bytes + len(data) > WAITING_BYTES:
                self.dropped_count += 1
            else:
                self._lines.append(data)
                self._waiting_bytes += len(data)

    # The logging library calls the method that is named like the level.
    debug = info = warning = error = critical = write

    def close(self, seconds: float = 1.0) -> None:
        """Write what waits and stop; give up after ``seconds`` if the descriptor takes nothing."""
        self._closing.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        last = False
        while not last:
            last = self._closing.wait(FLUSH_SECONDS)
            for chunk in self._chunks():
                self._put(chunk)

    def _chunks(self) -> Iterator[bytes]:
        """Take what waits, in pieces of whole lines that are written at once."""
        with self._lock:
            lines, self._lines, self._waiting_bytes = self._lines, [], 0
            lost, self._noticed_count = self.dropped_count - self._noticed_count, self.dropped_count
        if lost:
            lines.append(self._notice(lost).encode() + b"\n")
        chunk = b""
        for line in lines:
            if chunk and len(chunk) + len(line) > ATOMIC_BYTES:
                yield chunk
                chunk = b""
            chunk += line
        if chunk:
            yield chunk

    def _put(self, chunk: bytes) -> None:
        while chunk:
            try:
                chunk = chunk[os.write(self._fd, chunk) :]
            except BlockingIOError:
                # Somebody else made the shared descriptor non-blocking.
                if self._closing.wait(FLUSH_SECONDS):
                    return
            except OSError:
                # The reader is gone.
                with self._lock:
                    self.dropped_count += chunk.count(b"\n")
                return
