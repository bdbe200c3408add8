"""No call outstays the patience of a client, and one that waits says so (MCP-3)."""

import asyncio

import pytest

from magi.bridge.front import NOTICE_SECONDS
from magi.bridge.waiting import Patience, unseen
from tests.unit.magi.bridge.fake import QUICK


def test_a_caller_never_waits_longer_than_clients_allow():
    patience = Patience()
    assert patience.granted(45) == 45
    assert patience.granted(3_600) + patience.margin_seconds == patience.most_seconds == 50
    assert patience.granted(-1) == 0
    assert patience.progress_seconds == 15


def test_what_was_spent_before_is_not_waited_for_again():
    assert Patience().after(8).granted(50) == 39
    assert Patience().after(60).granted(50) == 0


def test_all_that_a_call_does_beside_waiting_fits_into_the_margin():
    assert Patience().grace_seconds + NOTICE_SECONDS < Patience().margin_seconds


async def test_what_comes_in_time_is_returned_at_once():
    async def work() -> str:
        return "here"

    assert await Patience().hold(work(), 45, unseen, "waiting") == "here"


async def test_work_that_does_not_end_is_cancelled_and_gives_nothing():
    never = asyncio.Event()
    task = asyncio.ensure_future(never.wait())
    assert await QUICK.hold(task, 50, unseen, "waiting") is None
    await asyncio.wait([task])
    assert task.cancelled()


async def test_progress_is_told_until_the_work_is_done():
    told: list[tuple[float, str]] = []
    enough = asyncio.Event()

    async def progress(so_far: float, at_most: float, said: str) -> None:
        assert at_most == 10
        told.append((so_far, said))
        if len(told) == 3:
            enough.set()

    patience = Patience(progress_seconds=0.01)
    assert await patience.hold(enough.wait(), 10, progress, "waiting for bob")
    assert [said for _, said in told] == ["waiting for bob"] * 3
    assert sorted(told) == told


async def test_what_the_work_raises_is_raised():
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Patience().hold(work(), 1, unseen, "waiting")


async def test_cancelling_the_wait_cancels_the_work():
    begun = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(Patience().hold(work(), 45, unseen, "waiting"))
    await begun.wait()
    waiting.cancel()
    await asyncio.wait_for(ended.wait(), 5)
