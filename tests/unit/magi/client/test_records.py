"""Twin of ``magi/client/records.py``."""

import time

import pytest

from magi.client.bells import INBOX
from magi.client.memory import MemoryStore
from magi.client.model import Incoming, Kind, Outgoing
from magi.client.records import Records, wall_ms
from magi.client.states import State

ASK = Outgoing("a1", "bob", Kind.ASK, "Tea?", 0, 1)
ANSWER = Incoming("b1", "bob", "Bob", Kind.ANSWER, "Yes.", 0, reply_to="a1")


@pytest.fixture
def records():
    return Records(MemoryStore())


async def test_a_step_forwards_is_heard_by_those_who_wait_for_the_message(records):
    await records.put_out(ASK)
    with records.bells.at("a1") as bell:
        assert await records.advance("a1", State.QUEUED)
        await bell.next()
        assert not await records.advance("a1", State.PENDING)
        assert not bell.rung.is_set()


async def test_an_answer_is_heard_at_its_ask_and_in_the_inbox_once(records):
    await records.put_out(ASK)
    with records.bells.at("a1") as ask, records.bells.at(INBOX) as inbox:
        assert await records.put_in(ANSWER)
        await ask.next()
        await inbox.next()
        assert not await records.put_in(ANSWER)
        assert not inbox.rung.is_set()


async def test_settling_is_heard_in_the_inbox(records):
    await records.put_in(ANSWER)
    with records.bells.at(INBOX) as inbox:
        assert await records.settle("bob", "b1", "acked")
        await inbox.next()


def test_the_time_is_that_of_the_wall_in_milliseconds():
    before = int(time.time() * 1000) - 1
    assert before <= wall_ms() <= before + 60_000
