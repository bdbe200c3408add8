"""Where the conformance tests run."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from tests.conformance.magi import places
from tests.conformance.magi.places import Overrides, Place

Opener = Callable[[str, Overrides], AbstractAsyncContextManager[Place]]


@pytest.fixture(scope="session")
def node_ports() -> Iterator[list[int]]:
    """Two node processes, started once for all dialogues."""
    with places.processes() as ports:
        yield ports


@pytest.fixture
def open_place(request: pytest.FixtureRequest) -> Opener:
    """Open the place of a kind, with settings; see ``requirements.PLACES``."""

    @contextlib.asynccontextmanager
    async def opened(kind: str, overrides: Overrides) -> AsyncIterator[Place]:
        if kind == "processes":
            place = Place(kind, request.getfixturevalue("node_ports"))
            try:
                yield place
            finally:
                await place.leave()
            return
        valkey = request.getfixturevalue("valkey") if kind == "redis" else None
        async with places.in_process(kind, overrides, valkey) as place:
            yield place

    return opened
