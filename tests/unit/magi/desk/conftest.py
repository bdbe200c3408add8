"""A store on a clock that a test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from magi.desk.store import SqliteStore
from tests.harness.desks import StandingClock


@pytest.fixture
def clock() -> StandingClock:
    """What the store takes for the time."""
    return StandingClock()


@pytest.fixture
async def store(tmp_path: Path, clock: StandingClock) -> AsyncIterator[SqliteStore]:
    """An empty store, open."""
    opened = SqliteStore(tmp_path / "magi.db", now_ms=clock)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
