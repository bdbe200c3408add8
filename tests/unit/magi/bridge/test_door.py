"""The desk is opened once, beside the calls, and again after a failure (MCP-1)."""

import asyncio
import contextlib

import pytest

from magi.bridge import door as doors
from magi.bridge.door import Door
from magi.client.errors import ProfileError
from magi.daemon.port import DaemonAway
from tests.harness.waiting import eventually
from tests.unit.magi.bridge.fake import FakeDesk, opening


async def test_all_calls_share_one_desk_which_is_left_in_the_end():
    steps: list[str] = []

    @contextlib.asynccontextmanager
    async def open_desk():
        steps.append("open")
        yield FakeDesk()
        steps.append("left")

    door = Door(open_desk)
    one, other = await asyncio.gather(door.desk(), door.desk())
    assert one is other
    await door.close()
    assert steps == ["open", "left"]


async def test_knocking_opens_without_anybody_waiting():
    opened = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open_desk():
        opened.set()
        yield FakeDesk()

    door = Door(open_desk)
    door.knock()
    await asyncio.wait_for(opened.wait(), 5)
    await door.close()


async def test_after_a_failure_the_next_call_tries_again():
    ways = [opening(ProfileError("The profile default is not set up. Run: magi register -u NAME")), opening(FakeDesk())]

    def open_desk():
        return ways.pop(0)()

    door = Door(open_desk)
    with pytest.raises(ProfileError, match="magi register"):
        await door.desk()
    assert isinstance(await door.desk(), FakeDesk)
    await door.close()


async def test_a_failure_that_nobody_asks_about_is_no_fault():
    door = Door(opening(ProfileError("not set up")))
    found = door.knock()
    await eventually(found.done)
    await door.close()


async def test_a_desk_that_does_not_open_in_time_is_away(monkeypatch):
    monkeypatch.setattr(doors, "OPEN_SECONDS", 0.01)
    left = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open_desk():
        try:
            await asyncio.Event().wait()
            yield FakeDesk()
        finally:
            left.set()

    door = Door(open_desk)
    with pytest.raises(DaemonAway, match="Nothing was done"):
        await door.desk()
    await door.close()
    assert left.is_set()


async def test_a_desk_that_is_not_left_in_order_is_logged(caplog):
    @contextlib.asynccontextmanager
    async def open_desk():
        yield FakeDesk()
        raise OSError("gone")

    door = Door(open_desk)
    await door.desk()
    await door.close()
    assert "OSError" in caplog.text


async def test_a_door_that_nobody_knocked_at_closes():
    await Door(opening(FakeDesk())).close()
