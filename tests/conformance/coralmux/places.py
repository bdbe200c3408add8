"""Where the tests run: an exchange that somebody else started, and the clients of one test with it."""

import asyncio
import itertools
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from tests.conformance.coralmux.client import Client
from tests.harness.in_process import HOST, Running
from tests.harness.waiting import WAIT_SECONDS, eventually

API = "/coralmux"
"""Where the wire is on the main port (CORAL-1)."""
_runs = itertools.count(1)


class Place:
    """An exchange of one or two nodes; with one node all numbers mean the same.

    Every test dials from loopback addresses of its own, and has tokens of its own: no allowance is shared.
    """

    def __init__(self, kind: str, running: Running) -> None:
        self.kind = kind
        self.running = running
        self.clients: list[Client] = []
        self._run = next(_runs)

    def address(self, number: int = 0) -> str:
        """Return a loopback address that only this test uses; there are 250 of them."""
        return f"127.{200 + self._run // 250 % 50}.{1 + self._run % 250}.{1 + number}"

    def base(self, node: int = 0) -> str:
        """Return host and port of a node."""
        return f"{HOST}:{self.running.ports[node % len(self.running.ports)]}"

    def url(self, node: int = 0) -> str:
        """Return the relay URL of a node, as a connector is given it."""
        return f"ws://{self.base(node)}{API}/ws"

    def http(self, address: str = "") -> httpx2.AsyncClient:
        """Return an HTTP client that the server sees at this loopback address."""
        transport = httpx2.AsyncHTTPTransport(local_address=address or self.address())
        return httpx2.AsyncClient(transport=transport, trust_env=False, timeout=WAIT_SECONDS)

    async def request(
        self, method: str, path: str, node: int = 0, *, address: str = "", **options: Any
    ) -> httpx2.Response:
        """Make one HTTP request to a path below the relay's own root."""
        async with self.http(address) as http:
            return await http.request(method, f"http://{self.base(node)}{API}{path}", **options)

    async def token(self) -> str:
        """Make a pair and return its token."""
        response = await self.request("POST", "/api/v1/pair")
        assert response.status_code == 201, response.text
        return str(response.json()["token"])

    async def delete(self, token: str, node: int = 0) -> None:
        """Delete a pair."""
        assert (await self.request("DELETE", f"/api/v1/pair/{token}", node)).status_code == 204

    async def connected(self, token: str, node: int = 0) -> dict[str, bool]:
        """Return who of a pair is there (CORAL-32)."""
        response = await self.request("GET", f"/api/v1/pair/{token}", node)
        assert response.status_code == 200
        return dict(response.json())

    async def until(self, token: str, *, phone: bool, agent: bool) -> None:
        """Wait until the status of a pair is this on every node."""
        for node in range(len(self.running.ports)):

            async def is_so(node: int = node) -> bool:
                return await self.connected(token, node) == {"phone": phone, "agent": agent}

            await eventually(is_so)

    async def usage(self, token: str, node: int = 0) -> dict[str, int]:
        """Return what a pair has used."""
        response = await self.request("GET", "/api/v1/usage", node, headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def dial(self, node: int = 0, *, url: str = "", **options: Any) -> Client:
        """Open a socket and say nothing."""
        client = await Client.dial(url or self.url(node), address=self.address(), **options)
        self.clients.append(client)
        return client

    async def not_there(self, url: str) -> None:
        """Prove that no WebSocket is at this address."""
        with pytest.raises(InvalidStatus) as refused:
            await self.dial(url=url)
        assert refused.value.response.status_code == 404, url

    async def phone(self, token: str, node: int = 0, **granted: object) -> Client:
        """Return a phone that was let in."""
        client = await self.dial(node)
        await client.auth(token, "phone", **granted)
        return client

    async def agent(self, token: str, node: int = 1, **granted: object) -> Client:
        """Return an agent that was let in."""
        client = await self.dial(node)
        await client.auth(token, "agent", **granted)
        return client

    async def pair(self, token: str = "") -> tuple[Client, Client]:
        """Return a phone on node 0 and the agent on node 1 that came after it; the phone has heard of that."""
        token = token or await self.token()
        phone, agent = await self.phone(token, paired=False), await self.agent(token, paired=True)
        await phone.peer("online")
        return phone, agent

    async def leave(self) -> None:
        """Close what the test left open."""
        await asyncio.gather(*(client.close() for client in self.clients))
