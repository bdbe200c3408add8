"""Where the conformance tests of the CoralMux wire run: each at every place; two processes have one set of settings."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import PLACES
from tests.harness.in_process import Opener


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that wants a place at all places it can run at."""
    if "place" in metafunc.fixturenames:
        kinds = [kind for kind in PLACES if kind != "processes" or not _settings(metafunc.function)]
        metafunc.parametrize("place", kinds, indirect=True)


@pytest_asyncio.fixture(loop_scope="session")
async def place(request: pytest.FixtureRequest, open_exchange: Opener) -> AsyncIterator[Place]:
    """An exchange with the settings that the test is marked with."""
    async with open_exchange(request.param, _settings(request.function)) as running:
        place = Place(request.param, running)
        try:
            yield place
        finally:
            await place.leave()


def _settings(test: object) -> dict[str, dict[str, object]]:
    return dict(getattr(test, "settings", {}))
