"""Ends of pairs under stress: many frames in one packet, everything that was heard, in order; and their pairs over HTTP."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

from tests.harness.cluster import HOST
from tests.harness.raw_socket import TEXT, frame
from tests.harness.waiting import WAIT_SECONDS

AWAY = 1013
"""Closes a connection that may come back soon (CORAL-7, CORAL-37)."""
REPLACED = 4001
"""Closes a connection whose slot has another one (CORAL-25)."""
PLENTY = {
    "EXCHANGE_RELAY__PHONE_PER_MINUTE_COUNT": "1000000",
    "EXCHANGE_RELAY__PHONE_BURST_COUNT": "1000000",
    "EXCHANGE_RELAY__AGENT_PER_MINUTE_COUNT": "1000000",
    "EXCHANGE_RELAY__AGENT_BURST_COUNT": "1000000",
}
"""Settings with which nobody is refused for sending too often."""
LOOK_SECONDS = 0.05


class Heard(NamedTuple):
    """One frame as it came. ``size`` is its length in bytes."""

    type: str
    payload: Any
    size: int


class PairEnd:
    """One connection of a pair. It reads all the time and keeps what it read."""

    def __init__(self, socket: ClientConnection, role: str) -> None:
        self.socket = socket
        self.role = role
        self.name = 0
        """Tests that have many may number them."""
        self.heard: list[Heard] = []
        self.code = 0
        """With what it was closed; 0 while it is open, 1006 if it broke."""
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    @classmethod
    async def dial(cls, url: str, role: str) -> Self:
        """Open the socket and say nothing."""
        # Whoever tests a server that stands still must not be the first to give up.
        options: dict[str, Any] = {"ping_interval": None, "max_size": None, "max_queue": None, "compression": None}
        return cls(await connect(url, proxy=None, **options), role)

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                assert isinstance(message, str), "the relay sends text only (CORAL-2)"
                said = json.loads(message)
                self.heard.append(Heard(said["type"], said.get("payload"), len(message.encode())))
                self._news.set()
        self.code = self.socket.close_code or 1006
        self._news.set()

    def write(self, *messages: str) -> None:
        """Give messages to the kernel in one piece, unless the connection is over; never blocks."""
        if self.socket.state is State.OPEN:
            self.socket.transport.write(b"".join(frame(TEXT, message.encode()) for message in messages))

    def enter(self, token: str, *more: str) -> None:
        """Authenticate, with more frames in the same packet."""
        self.write(said("auth", token=token, role=self.role), *more)

    async def until(self, condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Wait until ``condition`` is true; it is looked at again whenever something was heard, and now and then."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
        except TimeoutError:
            last = [(one.type, str(one.payload)[:80]) for one in self.heard[-5:]]
            raise AssertionError(f"not so within {seconds} s; the {self.role} has {self.code} and {last}") from None

    async def let_in(self) -> Any:
        """Wait for the first frame, which must be ``auth.ok``, and return its payload (CORAL-8)."""
        await self.until(lambda: self.heard or self.code)
        assert self.heard, f"closed with {self.code} instead of let in"
        assert self.heard[0].type == "auth.ok", self.heard[0]
        return self.heard[0].payload

    async def closed(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait until the connection is over and return the code."""
        await self.until(lambda: self.code, seconds)
        return self.code

    def stop_reading(self) -> None:
        """Take nothing more from the kernel."""
        self.socket.transport.pause_reading()

    def read_on(self) -> None:
        """Read again."""
        self.socket.transport.resume_reading()

    def payloads(self, type_: str) -> list[Any]:
        """Return what frames of one type said, in order."""
        return [one.payload for one in self.heard if one.type == type_]

    @property
    def statuses(self) -> list[str]:
        """What it was told of its peer, in order: ``online``, ``offline``."""
        return [payload["peer"] for payload in self.payloads("status")]

    @property
    def refusals(self) -> list[str]:
        """Messages of the ``chat.error`` frames, in order."""
        return [payload["message"] for payload in self.payloads("chat.error")]

    async def leave(self) -> None:
        """Close, in order if the other side follows."""
        if not self.code:
            self.read_on()
            try:
                async with asyncio.timeout(2):
                    await self.socket.close()
            except TimeoutError:
                self.socket.transport.abort()
        async with asyncio.timeout(WAIT_SECONDS):
            await self._task


class Pairs:
    """The relay of a cluster as its clients reach it; :meth:`leave` closes all of them."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self.ends: list[PairEnd] = []

    async def ask(
        self, method: str, path: str, node: int = 0, *, address: str = HOST, **options: Any
    ) -> httpx2.Response:
        """Make an HTTP request from a loopback address."""
        transport = httpx2.AsyncHTTPTransport(local_address=address, verify=False)
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=WAIT_SECONDS) as http:
            return await http.request(method, f"http://{HOST}:{self.ports[node]}/coralmux{path}", **options)

    async def token(self, node: int = 0) -> str:
        """Make a pair."""
        response = await self.ask("POST", "/api/v1/pair", node)
        assert response.status_code == 201, response.text
        return str(response.json()["token"])

    async def connected(self, token: str, node: int = 0) -> dict[str, bool]:
        """Return who is there (CORAL-32)."""
        return dict((await self.ask("GET", f"/api/v1/pair/{token}", node)).json())

    async def used_bytes(self, token: str, node: int = 0) -> tuple[int, int]:
        """Return what a pair passed on today and this month."""
        response = await self.ask("GET", "/api/v1/usage", node, headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 200, response.text
        usage = response.json()
        return usage["daily_used_bytes"], usage["monthly_used_bytes"]

    async def dial(self, role: str, node: int) -> PairEnd:
        """Open a connection to a node."""
        end = await PairEnd.dial(f"ws://{HOST}:{self.ports[node]}/coralmux/ws", role)
        self.ends.append(end)
        return end

    async def enter(self, token: str, role: str, node: int, *more: str) -> PairEnd:
        """Open a connection and be let in."""
        end = await self.dial(role, node)
        end.enter(token, *more)
        await end.let_in()
        return end

    async def pair(self, token: str, nodes: tuple[int, int] = (0, 1)) -> tuple[PairEnd, PairEnd]:
        """Return a phone and the agent that came after it, on two nodes; the phone has heard of that."""
        phone = await self.enter(token, "phone", nodes[0])
        before = len(phone.statuses)
        agent = await self.enter(token, "agent", nodes[1])
        await phone.until(lambda: "online" in phone.statuses[before:])
        return phone, agent

    async def insist(self, token: str, role: str, node: int, seconds: float = 2 * WAIT_SECONDS) -> PairEnd:
        """Come back until somebody is let in; nothing but transient endings, without a frame, may be in the way (CORAL-7)."""
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(OSError, WebSocketException):
                    end = await self.dial(role, node)
                    end.enter(token)
                    await end.until(lambda end=end: end.heard or end.code)
                    if end.heard:
                        await end.let_in()
                        return end
                    assert end.code in {AWAY, 1006}, end.code
                await asyncio.sleep(0.05)

    async def leave(self) -> None:
        """Close everything."""
        await asyncio.gather(*(end.leave() for end in self.ends))


@contextlib.asynccontextmanager
async def pairs_at(ports: Sequence[int]) -> AsyncIterator[Pairs]:
    """Use the relay of some nodes; all connections are closed at the end."""
    pairs = Pairs(ports)
    try:
        yield pairs
    finally:
        await pairs.leave()


def said(type_: str, **payload: object) -> str:
    """Return a frame, as short as it may be."""
    return json.dumps({"type": type_, "payload": payload}, separators=(",", ":"))


def sized(size: int, number: int, type_: str = "chat.send") -> str:
    """Return a numbered frame of exactly this many bytes."""
    text = said(type_, n=number, text="")
    return text[:-3] + "x" * (size - len(text)) + text[-3:]
