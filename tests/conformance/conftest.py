"""Exchanges for the conformance tests of all wires: those with the standard settings are started once."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.cluster import Cluster, cluster
from tests.harness.in_process import Opener, Overrides, Running, in_process
from tests.harness.valkey import Valkey


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
async def open_exchange(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    """Open an exchange of a kind (``magi.requirements.PLACES``) with settings.

    Those with the standard settings are shared by all tests; those with others live for one.
    """
    async with contextlib.AsyncExitStack() as stack:
        shared: dict[str, Running] = {}

        def valkey(kind: str) -> Valkey | None:
            return request.getfixturevalue("shared_valkey") if kind == "redis" else None

        @contextlib.asynccontextmanager
        async def opened(kind: str, overrides: Overrides) -> AsyncIterator[Running]:
            if overrides:
                async with in_process(kind, overrides, valkey(kind)) as running:
                    yield running
                return
            if kind not in shared:
                if kind == "processes":
                    shared[kind] = Running(ports=[node.port for node in request.getfixturevalue("box").nodes])
                else:
                    shared[kind] = await stack.enter_async_context(in_process(kind, {}, valkey(kind)))
            yield shared[kind]

        yield opened
