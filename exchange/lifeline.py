"""The two pipes between a child process and its parent, seen from the child.

::

    parent  -- stdin -->   one line: the settings, resolved; then silence as long as the parent lives, then the end
            <-- report --  one line: {"ready": true} or {"refused": "why"}

So secrets are neither in arguments nor in the environment, and no child outlives its parent for longer than its drain.
"""

import asyncio
import json
import os
import sys

from exchange.settings import Settings


class Lifeline:
    """A child's tie to its parent."""

    def __init__(self, report_fd: int, *, stdin_fd: int | None = None) -> None:
        """``stdin_fd`` replaces standard input."""
        self._report_fd = report_fd
        self._stdin_fd = sys.stdin.fileno() if stdin_fd is None else stdin_fd

    def settings(self) -> Settings:
        """Return what the parent resolved. Blocks; call it once, first."""
        line = b""
        while not line.endswith(b"\n"):
            # Unbuffered: what comes after the line is for `watch`.
            piece = os.read(self._stdin_fd, 65536)
            if not piece:
                raise EOFError("the parent is gone")
            line += piece
        return Settings.from_parent(line)

    def watch(self, stop: asyncio.Event) -> None:
        """Set ``stop`` when the parent is gone. Needs the running event loop."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            if not os.read(self._stdin_fd, 65536):
                loop.remove_reader(self._stdin_fd)
                stop.set()

        loop.add_reader(self._stdin_fd, readable)

    def ready(self) -> None:
        """Tell the parent that this process serves."""
        self._report({"ready": True})

    def refused(self, sentence: str) -> None:
        """Tell the parent why this process cannot start."""
        self._report({"refused": sentence})

    def _report(self, message: dict[str, object]) -> None:
        try:
            os.write(self._report_fd, json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            # The parent is gone, which `watch` notices as well.
            return
