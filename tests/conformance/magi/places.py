"""Where dialogues run: exchanges in this process over memory or a real server, and two real processes."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from exchange.app import Node
from exchange.listening import node_socket, port_of, reserve
from exchange.settings import Settings
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from exchange.storage.redis.store import open_store
from tests.conformance.magi.client import PlainClient, befriend
from tests.harness.valkey import Valkey
from tests.harness.waiting import WAIT_SECONDS, eventually

HOST = "127.0.0.1"
Overrides = Mapping[str, Mapping[str, object]]
STANDARD: Overrides = {"limits": {"asks_per_minute_count": 0}}
"""Defaults of the wire, but without the ask limit, which has dialogues of its own."""

_runs = itertools.count(1)
_exchanges = itertools.count(1)


class Place:
    """An exchange, and the clients of one dialogue with it.

    Every dialogue dials from loopback addresses of its own, so neither a grace nor a limit of one reaches the next.
    """

    def __init__(self, kind: str, ports: list[int]) -> None:
        self.kind = kind
        self.ports = ports
        self.clients: list[PlainClient] = []
        self._run = next(_runs)

    def address(self, number: int = 0) -> str:
        """Return a loopback address that only this dialogue uses; there are 250 of them."""
        return f"127.{1 + self._run // 250 % 250}.{1 + self._run % 250}.{1 + number}"

    def http(self, node: int = 0) -> str:
        """Return the base URL of a node; with one node all numbers mean the same."""
        return f"http://{HOST}:{self.ports[node % len(self.ports)]}"

    async def dial(self, node: int = 0, *, path: str = "/", address: str = "", **options: Any) -> PlainClient:
        """Open a socket to a node and read nothing."""
        url = f"ws{self.http(node).removeprefix('http')}{path}"
        client = await PlainClient.dial(url, address=address or self.address(), **options)
        self.clients.append(client)
        return client

    async def client(self, node: int = 0, **options: Any) -> PlainClient:
        """Open a socket to a node and read the greeting."""
        return await (await self.dial(node, **options)).greeted()

    async def person(self, username: str, nickname: str | None = None, node: int = 0, **options: Any) -> PlainClient:
        """Return an identified client."""
        client = await self.client(node, **options)
        await client.identify(username, nickname)
        return client

    async def friends(self) -> tuple[PlainClient, PlainClient]:
        """Return ada (nickname Ada, node 0), who invited, and bob (Bob, node 1), who came."""
        ada, bob = await self.person("ada", "Ada", 0), await self.person("bob", "Bob", 1)
        await befriend(ada, bob)
        return ada, bob

    async def claim(self, client: PlainClient, username: str, nickname: str | None = None) -> None:
        """Identify under a name whose holder has just closed: it is free in a moment, and within a moment only."""
        nickname = username if nickname is None else nickname
        await eventually(lambda: _claimed(client, username, nickname))

    async def request(self, method: str, path: str, node: int = 0, **options: Any) -> httpx2.Response:
        """Make one HTTP request."""
        async with httpx2.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as http:
            return await http.request(method, self.http(node) + path, **options)

    async def leave(self) -> None:
        """Close what the dialogue left open and wait until all its names are free."""
        names = {
            name for client in self.clients for name in client.names if 0 < len(name) <= 254 and name.isprintable()
        }
        await asyncio.gather(*(client.close() for client in self.clients))
        probe = await self.client(address=self.address(200))
        for name in sorted(names):
            await self.claim(probe, name)
        await probe.close()


async def _claimed(client: PlainClient, username: str, nickname: str) -> bool:
    await client.send({"type": "identify", "username": username, "nickname": nickname})
    frame = await client.next()
    assert frame["type"] == "identified" or frame["message"] == "Username already taken", frame
    return bool(frame["type"] == "identified")


def _bound() -> tuple[socket.socket, socket.socket]:
    """Return a socket on a free port, and the placeholder that keeps the port ours."""
    placeholder = reserve(HOST, 0, variable="none")
    return node_socket(HOST, port_of(placeholder)), placeholder


@contextlib.asynccontextmanager
async def in_process(kind: str, overrides: Overrides, valkey: Valkey | None = None) -> AsyncIterator[list[int]]:
    """Run an exchange in this process, with two nodes (kind ``one``: with one); give their ports."""
    settings = Settings().changed(**{**STANDARD, **overrides})
    memory = Memory()
    prefix = f"t{next(_exchanges)}"
    nodes: list[Node] = []
    ports = []
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(1 if kind == "one" else 2):
            if valkey is None:
                store = memory_store(memory)
            else:
                opened = await open_store(valkey.url, prefix=prefix)
                stack.push_async_callback(opened.close)
                store = opened.ports
            sockets = [stack.enter_context(bound) for bound in (*_bound(), *_bound())]
            nodes.append(Node(settings, store, sock=sockets[0], ops_sock=sockets[2]))
            ports.append(port_of(sockets[0]))
        await asyncio.gather(*(node.start() for node in nodes))
        try:
            yield ports
        finally:
            await asyncio.gather(*(node.stop() for node in nodes))


@contextlib.contextmanager
def processes(valkey: Valkey) -> Iterator[list[int]]:
    """Run two node processes on one real server; give their ports."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="magi-")))
        yield [_start(stack, directory, valkey.url, index) for index in range(2)]


def _start(stack: contextlib.ExitStack, directory: Path, url: str, index: int) -> int:
    (sock, placeholder), (ops, ops_placeholder) = _bound(), _bound()
    port, ops_port = port_of(sock), port_of(ops)
    for held in (sock, placeholder, ops, ops_placeholder):
        held.close()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("EXCHANGE_", "PORT", "LOG_"))
    }
    environment["EXCHANGE_LIMITS__ASKS_PER_MINUTE_COUNT"] = "0"
    environment["EXCHANGE_REDIS__URL"] = url
    environment["EXCHANGE_LISTEN__PORT"] = str(port)
    environment["EXCHANGE_OPS__PORT"] = str(ops_port)
    environment["XDG_DATA_HOME"] = str(directory)
    output = stack.enter_context((directory / f"node{index}.log").open("wb"))
    process = subprocess.Popen(
        [sys.executable, "-m", "exchange", "serve"], env=environment, stdout=output, stderr=subprocess.STDOUT
    )
    stack.callback(_stop, process)
    deadline = WAIT_SECONDS
    with httpx2.Client(trust_env=False, timeout=1) as http:
        while not _ready(http, port):
            deadline -= 0.05
            if deadline < 0 or process.poll() is not None:
                raise AssertionError((directory / f"node{index}.log").read_text())
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    return port


def _ready(http: httpx2.Client, port: int) -> bool:
    try:
        return http.get(f"http://{HOST}:{port}/ready").status_code == 200
    except httpx2.TransportError:
        return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
