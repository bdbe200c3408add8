"""A line to the daemon for hooks: it blocks, needs the standard library only, and looks without taking (CLI-43, DEP-6).

What is said on it is in :mod:`magi.daemon.protocol`, which takes longer to load than a hook may run.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any, Final

PROTOCOL: Final = 1
"""As in :mod:`magi.daemon.protocol`."""
AT_ONCE: Final = 100
"""How many items are looked at."""
_PIECE_BYTES: Final = 1 << 16


class Away(Exception):
    """There is no daemon here, it speaks otherwise, or it does not want us."""


class Peephole:
    """One face of the daemon. Nothing is claimed through it."""

    def __init__(self, path: Path, *, face: str, client: str, session: str, seconds: float) -> None:
        """Connect. ``seconds`` is how long each wait for the daemon may take, from then on too.

        Raises:
            Away: See there.
            OSError: Nobody listens, or nothing came in time.
        """
        self._caller = {"face": face, "origin": "model", "session": session}
        self._socket = socket.socket(socket.AF_UNIX)
        self._received = b""
        self._parts: dict[int, list[str]] = {}
        self._calls = 0
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(str(path))
            hello = {"protocol": PROTOCOL, "face": face, "client": client, "session": session, "pid": os.getpid()}
            self._say("hello", **hello)
            welcome = self._hear()
            if welcome.get("type") != "welcome" or welcome.get("protocol") != PROTOCOL:
                raise Away
        except BaseException:
            self.close()
            raise

    def wait_for(self, seconds: float) -> None:
        """Have each wait end after ``seconds`` from now on."""
        self._socket.settimeout(seconds)

    def ask_for_inbox(self) -> None:
        """Ask what waits; :meth:`next` returns it."""
        self._call("inbox", caller=self._caller, limit=AT_ONCE, peek=True)

    def ask_for_changes(self) -> None:
        """Ask to be told whenever what waits changes, beginning now."""
        self._call("events")

    def next(self) -> tuple[bool, Any]:
        """Return the next thing that the daemon tells, and whether it is a change (else it is an inbox).

        Raises:
            Away: The daemon is gone, or refuses.
            TimeoutError: Nothing came in time. It can be called again.
        """
        while True:
            told = self._hear()
            type_, n = told.get("type"), int(told.get("n", 0))
            if type_ == "part":
                self._parts.setdefault(n, []).append(str(told["text"]))
            elif type_ in {"result", "event"}:
                parts = self._parts.pop(n, None)
                return type_ == "event", json.loads("".join(parts)) if parts else told.get("value")
            else:
                raise Away

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _call(self, method: str, **arguments: object) -> None:
        self._calls += 1
        self._say("call", n=self._calls, method=method, args=arguments)

    def _say(self, type_: str, **fields: object) -> None:
        self._socket.sendall(json.dumps({"type": type_, **fields}).encode() + b"\n")

    def _hear(self) -> dict[str, Any]:
        while b"\n" not in self._received:
            piece = self._socket.recv(_PIECE_BYTES)
            if not piece:
                raise Away
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        said = json.loads(line)
        if not isinstance(said, dict):
            raise Away
        return said
