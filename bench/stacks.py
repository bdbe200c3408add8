"""What is measured: how one node of each stack is started, who its clients are, and which stacks a scenario is about.

To add a peer, add a row to ``PEERS``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.generator import BUILD, PLAIN, Clients
from bench.process import Unmeasurable

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(__file__).with_name("peers")
_NODE_WS = BUILD / "node_ws"
_INSTALL_SECONDS = 60.0


def _exchange(port: int, redis_url: str) -> list[str]:
    serve = [sys.executable, "-m", "exchange", "serve", "--host", "127.0.0.1", "--port", str(port)]
    return [*serve, "--redis-url", redis_url, "--nodes", "1", "--no-worker"]


def _ordinary(port: int, redis_url: str) -> list[str]:
    return [sys.executable, str(PROGRAMS / "ordinary.py"), "--port", str(port), "--redis-url", redis_url]


def _node_ws(port: int, redis_url: str) -> list[str]:
    return ["node", str(_NODE_WS / "server.js"), str(port), redis_url.removeprefix("unix://")]


def _nothing() -> None:
    """Most stacks run from the tree as it is."""


def _install_node_ws() -> None:
    """Install the pinned packages outside the tree's sources, once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unmeasurable("node and npm are not installed")
    if _NODE_WS.exists() and _same_lock():
        shutil.copy2(PROGRAMS / "node_ws" / "server.js", _NODE_WS)
        return
    half = _NODE_WS.with_suffix(".half")  # renamed when complete: an interrupted install is never taken for a whole one
    for old in (half, _NODE_WS):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(PROGRAMS / "node_ws", half)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        outcome = subprocess.run(command, cwd=half, capture_output=True, timeout=_INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unmeasurable(f"npm did not install its packages within {_INSTALL_SECONDS:.0f} s") from None
    if outcome.returncode:
        codes = [
            line for line in outcome.stderr.decode(errors="replace").splitlines() if line.startswith("npm error code")
        ]
        raise Unmeasurable(f"npm could not install its packages (offline?): {codes[0] if codes else 'no reason given'}")
    half.rename(_NODE_WS)


def _same_lock() -> bool:
    return (_NODE_WS / "package-lock.json").read_bytes() == (PROGRAMS / "node_ws" / "package-lock.json").read_bytes()


@dataclass(frozen=True)
class Stack:
    """One way to run an exchange. ``command`` gives the command line of one node for a port and a Redis URL."""

    name: str
    title: str
    command: Callable[[int, str], list[str]]
    prepare: Callable[[], None] = _nothing  # raises Unmeasurable if this machine cannot run it
    settings: Mapping[str, str] = field(default_factory=dict)
    clients: Clients = PLAIN

    def environment(self) -> dict[str, str]:
        """Return the environment of a node: ours, without settings of the exchange that happen to be in it."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
        return {**inherited, **self.settings}


_SETTINGS = {
    # The load is far above what one person may ask, and the ops port would be the same for both nodes.
    "EXCHANGE_LIMITS__ASKS_PER_MINUTE_COUNT": "0",
    "EXCHANGE_OPS__PORT": "0",
    # A pair of the relay streams 300 chunks a second when saturated.
    "EXCHANGE_RELAY__AGENT_PER_MINUTE_COUNT": "1000000",
    "EXCHANGE_RELAY__AGENT_BURST_COUNT": "1000000",
    "EXCHANGE_RELAY__DAILY_QUOTA_BYTES": str(1 << 50),
    "EXCHANGE_RELAY__MONTHLY_QUOTA_BYTES": str(1 << 50),
    "EXCHANGE_STORE__DURABILITY": "local",
    # Nobody is left when a node is ended, and no balancer has to take notice.
    "EXCHANGE_DRAIN__NOTICE_SECONDS": "0",
    "EXCHANGE_DRAIN__WINDOW_SECONDS": "0",
}


def _own(name: str, kind: str, clients: Clients) -> Stack:
    return Stack(name, f"magi-exchange ({kind})", _exchange, settings=_SETTINGS, clients=clients)


EXCHANGE = _own("exchange", "live", PLAIN)
STORED = _own("stored", "stored", Clients(stored=True))
STORED_8 = _own("stored_8", "stored, acks by 8", Clients(stored=True, ack_every=8))
CHAT = _own("chat", "chat", Clients(chat=True))

SCENARIOS = {"live": (EXCHANGE,), "stored": (STORED, STORED_8, EXCHANGE), "chat": (CHAT, EXCHANGE)}
"""The exchange's own stacks of each scenario. The first is the one that ratios are about; peers are live in all of them."""

PEERS = {
    stack.name: stack
    for stack in (
        Stack("ordinary", "Starlette + pydantic + redis-py", _ordinary),
        Stack("node_ws", "Node.js ws + ioredis", _node_ws, _install_node_ws),
    )
}
STACKS = {stack.name: stack for stack in (EXCHANGE, STORED, STORED_8, CHAT, *PEERS.values())}
