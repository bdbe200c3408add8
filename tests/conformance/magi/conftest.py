"""Where the conformance tests run."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from tests.conformance.magi.places import Overrides, Place, in_process
from tests.harness.cluster import Cluster, cluster
from tests.harness.valkey import Valkey

settings.register_profile("nightly")
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
def box() -> Iterator[Cluster]:
    """Two node processes, started once for all dialogues."""
    with cluster(2, settings={"EXCHANGE_LIMITS__ASKS_PER_MINUTE_COUNT": "0"}) as running:
        yield running


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
                    shared[kind] = [node.port for node in request.getfixturevalue("box").nodes]
                else:
                    shared[kind] = (await stack.enter_async_context(in_process(kind, {}, valkey(kind)))).ports
            return shared[kind]

        @contextlib.asynccontextmanager
        async def opened(kind: str, overrides: Overrides) -> AsyncIterator[Place]:
            async with contextlib.AsyncExitStack() as own:
                if overrides:
                    ports = (await own.enter_async_context(in_process(kind, overrides, valkey(kind)))).ports
                else:
                    ports = await ports_of(kind)
                place = Place(kind, ports)
                own.push_async_callback(place.leave)
                yield place

        yield opened
