"""What a start prints: where the exchange is and how to try it, for a person or as lines of JSON."""

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from exchange.logs.entry import LEVELS, Entry
from magi import __version__

RELAY_PATH, LISTENER_PATH = "/coralmux/ws", "/ws"
"""Where the main port serves the relay, and where its own port does (CORAL-1)."""

FIRST_FRAME = '{"type": "identify", "username": "ann@example.com"}'


@dataclass(frozen=True, slots=True)
class Started:
    """The facts of a start that is complete."""

    host: str
    port: int
    ops_host: str
    ops_ports: tuple[int, ...]
    store: str
    durability: str
    worker: bool
    public_url: str = ""
    relay: tuple[str, ...] = ()
    """Addresses of the relay; none if it is off."""

    @property
    def page(self) -> str:
        return f"http://{self.host}:{self.port}/"

    @property
    def websocket(self) -> str:
        return socket_url(self.host, self.port, "/")

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(f"http://{self.ops_host}:{port}/metrics" for port in self.ops_ports)

    def context(self) -> dict[str, str]:
        """Return the facts for a log line."""
        return {
            "websocket": self.websocket,
            "page": self.page,
            **({"relay": " ".join(self.relay)} if self.relay else {}),
            "metrics": " ".join(self.metrics),
            "store": self.store,
            "durability": self.durability,
            "worker": str(self.worker).lower(),
        }

    def banner(self) -> str:
        """Return the lines for a terminal."""
        nodes = len(self.ops_ports)
        parts = [f"{nodes} node{'s' if nodes > 1 else ''}", *(["1 worker"] if self.worker else [])]
        public = self.public_url
        rows = [
            ("WebSocket", self.websocket),
            ("Page", self.page),
            *([("Public", f"{public}/  and  ws{public.removeprefix('http')}/")] if public else []),
            *(("" if number else "Relay", url) for number, url in enumerate(self.relay)),
            *(("Metrics" if number == 0 else "", url) for number, url in enumerate(self.metrics)),
            ("Store", f"{self.store}, durability {self.durability}"),
        ]
        return "\n".join(
            (
                f"magi-exchange {__version__} is ready: {' and '.join(parts)}.",
                "",
                *(f"  {name:<10} {value}" for name, value in rows),
                "",
                f"Connect a first client:   {_python()} -m websockets {self.websocket}",
                f"and type as a first line: {FIRST_FRAME}",
                "Stop with Ctrl-C.",
                "",
            )
        )


def socket_url(host: str, port: int, path: str, *, tls: bool = False) -> str:
    """Return the address of a WebSocket; ``host`` is written as in a URL."""
    return f"{'wss' if tls else 'ws'}://{host}:{port}{path}"


class Console:
    """Where ``serve`` speaks to whoever started it: facts on ``out``, progress on ``err``.

    As JSON, every line has the shape of a log line (MAGI-39), so that one reader takes them all.
    """

    def __init__(self, kind: Literal["text", "json"], *, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._json = kind == "json"
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err

    def started(self, facts: Started) -> None:
        """Print the banner, or the same facts as one JSON object."""
        self._line(self._out, _entry("exchange.started", facts.context()) if self._json else facts.banner())

    def say(self, text: str) -> None:
        """Print a line of progress."""
        self._line(self._err, _entry("exchange.progressed", {"text": text}) if self._json else f"magi-exchange: {text}")

    def complain(self, sentence: str) -> None:
        """Print why the exchange ends; one plain sentence in either format."""
        self._line(self._err, sentence)

    @staticmethod
    def _line(stream: TextIO, text: str) -> None:
        try:
            # One write a line: the children write to the same place.
            stream.write(f"{text}\n")
            stream.flush()
        except OSError:
            # The reader is gone (`serve | head`, a closed terminal). The exchange goes on, or ends in order.
            return


def _entry(event: str, context: dict[str, str]) -> str:
    return Entry(time.time_ns() // 1_000_000, LEVELS["info"], "🔹", event, context, "serve").json()


def _python() -> str:
    """Return how to type the interpreter that has the stock client: it is this one, and perhaps not on the path."""
    own = Path(sys.executable)
    if shutil.which("python") == str(own):
        return "python"
    try:
        return str(own.relative_to(Path.cwd()))
    except ValueError:
        return str(own)
