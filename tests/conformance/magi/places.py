"""Where dialogues run: exchanges in this process over memory or a real server; two processes (``conftest.py``)."""

import asyncio
import itertools
from typing import Any, TypeVar

import httpx2

from tests.conformance.magi.client import ExtendedClient, PlainClient, befriend
from tests.harness.in_process import HOST
from tests.harness.waiting import WAIT_SECONDS, eventually

Client = TypeVar("Client", bound=PlainClient)
_runs = itertools.count(1)


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
