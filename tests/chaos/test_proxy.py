"""The proxy does to bytes what it says, and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.chaos.proxy import Faults, Proxy
from tests.harness.waiting import eventually


class Echo:
    """A server that sends back what it gets, and knows which of its connections ended."""

    def __init__(self) -> None:
        self.ended = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        self.ended += 1
        writer.close()


@pytest.fixture(params=["tcp", "unix"])
async def echo(request, tmp_path) -> AsyncIterator[tuple[Echo, tuple[str, int] | Path]]:
    echo = Echo()
    if request.param == "unix":
        target = tmp_path / "echo.sock"
        server = await asyncio.start_unix_server(echo.serve, target)
    else:
        server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
        target = server.sockets[0].getsockname()
    yield echo, target
    server.close()
    for task in echo.tasks:
        task.cancel()
    await asyncio.gather(*echo.tasks, return_exceptions=True)


@pytest.fixture
async def proxy(echo) -> AsyncIterator[Proxy]:
    async with Proxy(echo[1], seed=7) as proxy:
        yield proxy


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hears(self, count: int) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readexactly(count)

    async def is_broken(self) -> bytes:
        """Read until the connection is broken and return what came before."""
        data = b""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(10):
                while more := await self.reader.read(65536):
                    data += more
        return data


@pytest.fixture
async def dial(proxy) -> AsyncIterator[Callable[[], Awaitable[Client]]]:
    clients = []

    async def dial() -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", proxy.port)))
        return clients[-1]

    yield dial
    for client in clients:
        client.writer.transport.abort()
        with contextlib.suppress(OSError):
            await client.writer.wait_closed()


async def test_bytes_pass_as_they_are(dial, proxy):
    client = await dial()
    data = bytes(range(256)) * 4096
    await client.say(data)
    assert await client.hears(len(data)) == data
    client.writer.close()
    await eventually(lambda: not proxy.passages)


async def test_the_end_of_a_sender_is_passed_on(dial, proxy):
    client = await dial()
    await client.say(b"last words")
    client.writer.write_eof()
    assert await client.is_broken() == b"last words"


async def test_jitter_does_not_change_the_order(dial, proxy):
    proxy.up, proxy.down = Faults(jitter_seconds=0.02), Faults(latency_seconds=0.01, jitter_seconds=0.02)
    client = await dial()
    for number in range(50):
        await client.say(b"%03d" % number)
        await asyncio.sleep(0.001)
    assert await client.hears(150) == b"".join(b"%03d" % number for number in range(50))


async def test_a_narrow_way_passes_everything_in_the_end(dial, proxy):
    proxy.up = Faults(bytes_per_second=1_000_000)
    client = await dial()
    await client.say(b"x" * 100_000)
    assert await client.hears(100_000) == b"x" * 100_000


async def test_a_hole_holds_bytes_back_and_gives_them_up_when_it_is_filled(dial, proxy):
    client = await dial()
    await client.say(b"before")
    assert await client.hears(6) == b"before"
    async with proxy.hole():
        await client.say(b"meanwhile")
        late = await dial()  # accepted, and then nothing
        await late.say(b"late")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.reader.read(1)
        assert len(proxy.passages) == 1
    assert await client.hears(9) == b"meanwhile"
    assert await late.hears(4) == b"late"


async def test_a_hole_can_swallow_one_direction_of_one_connection(dial, proxy):
    chosen, other = await dial(), await dial()
    await chosen.say(b"SUBSCRIBE here")
    await other.say(b"SET a b")
    await chosen.hears(14)
    await other.hears(7)
    (passage,) = proxy.matching(b"subscribe")
    passage.down.own = Faults(hole=True)
    await chosen.say(b"more")
    await other.say(b"more")
    assert await other.hears(4) == b"more"
    await eventually(lambda: passage.up.passed_bytes == 18)
    assert passage.down.passed_bytes == 14
    passage.down.own = None
    proxy.heal()
    assert await chosen.hears(4) == b"more"


async def test_a_cut_lets_so_many_bytes_pass_and_breaks_both_ends(dial, proxy, echo):
    client = await dial()
    proxy.down.cut_after = 5
    await client.say(b"0123456789")
    assert await client.is_broken() == b"01234"
    await eventually(lambda: echo[0].ended == 1)
    again = await dial()  # it cuts once
    await again.say(b"0123456789")
    assert await again.hears(10) == b"0123456789"


async def test_a_reset_breaks_all_connections_and_new_ones_are_served(dial, proxy, echo):
    clients = [await dial() for _ in range(3)]
    for client in clients:
        await client.say(b"hello")
        await client.hears(5)
    proxy.reset()
    for client in clients:
        assert await client.is_broken() == b""
    await eventually(lambda: echo[0].ended == 3)
    again = await dial()
    await again.say(b"hello")
    assert await again.hears(5) == b"hello"


async def test_a_half_open_connection_is_over_for_the_server_only(dial, proxy, echo):
    client = await dial()
    await client.say(b"hello")
    await client.hears(5)
    proxy.passages[0].half_open()
    await eventually(lambda: echo[0].ended == 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.reader.read(1)
    await client.say(b"still there?")


async def test_chance_comes_from_the_seed(echo):
    draws = []
    for _ in range(2):
        async with Proxy(echo[1], seed=3) as proxy:
            draws.append([proxy.random.random() for _ in range(3)])
    assert draws[0] == draws[1]
