"""Where the conformance tests run."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conformance.magi import places
from tests.conformance.magi.places import Overrides, Place
from tests.harness.valkey import Valkey

Opener = Callable[[str, Overrides], AbstractAsyncContextManager[Place]]


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    """A server that nobody flushes while exchanges live on it."""
    with tempfile.TemporaryDirectory(prefix="magi-") as directory:
        server = Valkey(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def node_ports(shared_valkey: Valkey) -> Iterator[list[int]]:
    """Two node processes, started once for all dialogues."""
    with places.processes(shared_valkey) as ports:
        yield ports


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def open_place(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    """Open the place of a kind, with settings (``requirements.PLACES``).

    Exchanges with the standard settings are shared by all dialogues; those with others live for one.
    """
    async with contextlib.AsyncExitStack() as stack:
        shared: dict[str, list[int]] = {}

        def valkey(kind: str) -> Valkey | None:
            return request.getfixturevalue("shared_valkey") if kind == "redis" else None

        async def ports_of(kind: str) -> list[int]:
            if kind not in shared:
                if kind == "processes":
                    shared[kind] = request.getfixturevalue("node_ports")
                else:
                    shared[kind] = await stack.enter_async_context(places.in_process(kind, {}, valkey(kind)))
            return shared[kind]

        @contextlib.asynccontextmanager
        async def opened(kind: str, overrides: Overrides) -> AsyncIterator[Place]:
            async with contextlib.AsyncExitStack() as own:
                if overrides:
                    ports = await own.enter_async_context(places.in_process(kind, overrides, valkey(kind)))
                else:
                    ports = await ports_of(kind)
                place = Place(kind, ports)
                own.push_async_callback(place.leave)
                yield place

        yield opened
