"""A real server on a loopback port."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exchange.transports.server import Server

REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Rig:
    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = self.listening.getsockname()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.server = Server(Starlette(routes=[Route("/", self.page)]), self.listening)

    async def page(self, _request: Request) -> Response:
        self.reached.set()
        await self.go_on.wait()
        return PlainTextResponse("here")

    async def get(self) -> bytes:
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(REQUEST)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    await rig.server.start()
    try:
        yield rig
    finally:
        rig.go_on.set()
        await rig.server.stop()
        rig.listening.close()


async def test_it_serves_when_start_returns(rig):
    response = await rig.get()
    assert response.startswith(b"HTTP/1.1 200 ")
    assert response.endswith(b"here")


async def test_it_does_not_say_what_it_is(rig):
    assert b"uvicorn" not in (await rig.get()).lower()


async def test_signals_are_left_to_the_composition_root():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    rig = Rig()
    await rig.server.start()
    try:
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    finally:
        await rig.server.stop()
        rig.listening.close()


async def test_it_refuses_new_connections_and_finishes_what_is_open(rig):
    rig.go_on.clear()
    open_request = asyncio.create_task(rig.get())
    await rig.reached.wait()
    rig.server.refuse()
    with pytest.raises(OSError, match=r"refused|reset|Connect call failed"):
        await rig.get()
    rig.go_on.set()
    assert (await open_request).endswith(b"here")


async def test_stop_waits_for_an_open_request(rig):
    rig.go_on.clear()
    open_request = asyncio.create_task(rig.get())
    await rig.reached.wait()
    stopped = asyncio.create_task(rig.server.stop())
    await asyncio.sleep(0)
    rig.go_on.set()
    await stopped
    assert (await open_request).endswith(b"here")


async def test_a_server_that_cannot_start_says_why():
    closed = socket.create_server(("127.0.0.1", 0))
    closed.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        await Server(Starlette(), closed).start()


async def test_stop_without_a_start_is_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await Server(Starlette(), listening).stop()
