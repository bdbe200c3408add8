"""Every suite here runs twice: on the store in memory and on a real server. What passes on both is what a port promises."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import redis

from exchange.ports import Allowances, Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from exchange.storage.redis.clock import Clock
from exchange.storage.redis.store import open_store
from tests.harness.valkey import Valkey
from tests.harness.waiting import eventually

PassTime = Callable[[int], Awaitable[None]]
SetTime = Callable[[int], None]


class MovableClock:
    """The clock of a store in memory: stands still until a test moves it."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture(params=["memory", "redis"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which store this run is about."""
    return str(request.param)


@pytest.fixture
def clock() -> MovableClock:
    """What the store in memory takes for the time."""
    return MovableClock()


@pytest.fixture
def server(backend: str, request: pytest.FixtureRequest) -> Valkey | None:
    """The server behind the stores; none in memory."""
    return request.getfixturevalue("valkey") if backend == "redis" else None


@pytest.fixture
def allowances() -> Allowances:
    """What a pair may do; a test that is about that gives others."""
    return Allowances()


@pytest.fixture
async def stores(
    server: Valkey | None, clock: MovableClock, allowances: Allowances
) -> AsyncIterator[tuple[Store, Store]]:
    """One store as two nodes see it."""
    if server is None:
        memory = Memory(clock)
        yield memory_store(memory, allowances=allowances), memory_store(memory, allowances=allowances)
        return
    async with AsyncExitStack() as stack:
        views = []
        for _ in range(2):
            view = await open_store(
                server.url, prefix="magi", index_key=b"an index key for tests", allowances=allowances, bulk=True
            )
            stack.push_async_callback(view.close)
            views.append(view.ports)
        yield views[0], views[1]


@pytest.fixture
def store(stores: tuple[Store, Store]) -> Store:
    """One store as one node sees it."""
    return stores[0]


@pytest.fixture
def pass_time(server: Valkey | None, clock: MovableClock) -> PassTime:
    """Let at least this many milliseconds pass on the store's clock. They are real ones on a server: ask for few."""

    async def pass_time(ms: int) -> None:
        if server is None:
            clock.ms += ms
            return
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            start = _time_us(client)
            await eventually(lambda: _time_us(client) > start + ms * 1000)

    return pass_time


@pytest.fixture
def set_time(stores: tuple[Store, Store], server: Valkey | None, clock: MovableClock) -> SetTime:
    """Let all nodes believe that this is the time, in milliseconds; a server goes by its own."""

    def set_time(at_ms: int) -> None:
        clock.ms = at_ms
        for store in stores:
            if isinstance(store.clock, Clock):
                store.clock.learn(at_ms * 1000, store.clock.steady(), store.clock.steady())

    return set_time


def _time_us(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1_000_000 + int(micros)
