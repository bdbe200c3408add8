"""Where dialogues run: exchanges in this process over memory or a real server; two processes (``conftest.py``)."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2

from exchange.app import Node
from exchange.listening import node_socket, port_of, reserve
from exchange.ports import Caps
from exchange.settings import Settings
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from exchange.storage.redis.store import open_store
from tests.conformance.magi.client import ExtendedClient, PlainClient, befriend
from tests.harness.valkey import Valkey
from tests.harness.waiting import WAIT_SECONDS, eventually

HOST = "127.0.0.1"
Overrides = Mapping[str, Mapping[str, object]]
STANDARD: Overrides = {
    "limits": {"asks_per_minute_count": 0},
    "drain": {"notice_seconds": 0.5, "window_seconds": 0.2},
}
"""Defaults of the wire, but without the ask limit, which has dialogues of its own, and without long farewells."""

Client = TypeVar("Client", bound=PlainClient)
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

    def name(self, word: str) -> str:
        """Return a username that only this dialogue uses: with a token it stays taken."""
        return f"{word}.{self._run}"

    async def dial(self, node: int = 0, *, path: str = "/", address: str = "", **options: Any) -> PlainClient:
        """Open a socket to a node and read nothing."""
        return await self._dial(PlainClient, node, path, address=address or self.address(), **options)

    async def _dial(self, kind: type[Client], node: int, path: str, **options: Any) -> Client:
        client = await kind.dial(f"ws{self.http(node).removeprefix('http')}{path}", **options)
        self.clients.append(client)
        return client

    async def stranger(self, node: int = 0) -> ExtendedClient:
        """Return a client that may become an extended one, and whose names nobody frees afterwards."""
        return await (await self._dial(ExtendedClient, node, "/", address=self.address())).greeted()

    async def extended(self, word: str, *features: str, node: int = 0, token: str = "") -> ExtendedClient:
        """Return a client that identified under a name of this dialogue and was granted these features."""
        client = await self.stranger(node)
        await client.arrive(self.name(word), *features, token=token)
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


@dataclass(slots=True)
class Running:
    """An exchange in this process: its nodes, their ports, and the store of those that run over memory."""

    memory: Memory = field(default_factory=Memory)
    nodes: list[Node] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)


@contextlib.asynccontextmanager
async def in_process(kind: str, overrides: Overrides, valkey: Valkey | None = None) -> AsyncIterator[Running]:
    """Run an exchange in this process, with two nodes (kind ``one``: with one)."""
    settings = Settings().changed(**{**STANDARD, **overrides})
    mailbox = settings.mailbox
    caps = Caps(count=mailbox.envelopes_count, bytes=mailbox.bytes, share_percent=mailbox.share_percent)
    running = Running()
    prefix = f"t{next(_exchanges)}"
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(1 if kind == "one" else 2):
            if valkey is None:
                store = memory_store(running.memory, caps)
            else:
                opened = await open_store(valkey.url, prefix=prefix, caps=caps)
                stack.push_async_callback(opened.close)
                store = opened.ports
            # A placeholder keeps each port ours.
            held = [stack.enter_context(reserve(HOST, 0, variable="none")) for _ in range(2)]
            sock, ops_sock = (stack.enter_context(node_socket(HOST, port_of(placeholder))) for placeholder in held)
            running.nodes.append(Node(settings, store, sock=sock, ops_sock=ops_sock))
            running.ports.append(port_of(sock))
        await asyncio.gather(*(node.start() for node in running.nodes))
        try:
            yield running
        finally:
            await asyncio.gather(*(node.stop() for node in running.nodes))
