"""Twin of ``magi/client/bells.py``."""

import asyncio

import pytest

from magi.client.bells import Bells
from magi.client.errors import Displaced, NotConnected
from tests.harness.waiting import WAIT_SECONDS


async def test_a_ring_between_looking_and_waiting_is_not_missed():
    bells = Bells()
    with bells.at("a") as bell:
        bells.ring("a")
        async with asyncio.timeout(WAIT_SECONDS):
            await bell.next()


async def test_a_ring_is_heard_once_by_everybody_who_listens_to_that_name():
    bells = Bells()
    with bells.at("a") as one, bells.at("a") as two, bells.at("b") as other:
        bells.ring("a")
        assert [bell.rung.is_set() for bell in (one, two, other)] == [True, True, False]
        await one.next()
        assert not one.rung.is_set()


async def test_nobody_is_remembered_who_has_left():
    bells = Bells()
    with bells.at("a"):
        pass
    bells.ring("a")
    assert bells._waiting == {}


async def test_the_end_wakes_all_who_look_once_more_and_then_hear_why():
    bells = Bells()
    with bells.at("a") as bell:
        waiting = asyncio.create_task(bell.next())
        await asyncio.sleep(0)
        bells.end(Displaced())
        await waiting
        with pytest.raises(Displaced):
            await bell.next()


async def test_the_first_reason_stays():
    bells = Bells()
    bells.end(Displaced())
    bells.end(NotConnected())
    with pytest.raises(Displaced):
        bells.check()
