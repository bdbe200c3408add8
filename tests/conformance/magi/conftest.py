"""Where the conformance tests of the mAgi wire run."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest_asyncio
from hypothesis import settings

from tests.conformance.magi.places import Place
from tests.harness import in_process
from tests.harness.in_process import Overrides

settings.register_profile("nightly")
Opener = Callable[[str, Overrides], AbstractAsyncContextManager[Place]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def open_place(open_exchange: in_process.Opener) -> AsyncIterator[Opener]:
    """Open the place of a kind, with settings (``requirements.PLACES``)."""

    @contextlib.asynccontextmanager
    async def opened(kind: str, overrides: Overrides) -> AsyncIterator[Place]:
        async with open_exchange(kind, overrides) as running, contextlib.AsyncExitStack() as own:
            place = Place(kind, running.ports)
            own.push_async_callback(place.leave)
            yield place

    yield opened
