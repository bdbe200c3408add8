"""Twin of ``magi/client/deadlines.py``."""

import asyncio
from dataclasses import replace

import pytest

from magi.client.deadlines import Deadlines
from magi.client.memory import MemoryStore
from magi.client.model import Kind, Outgoing
from magi.client.records import Records
from magi.client.states import State
from tests.harness.waiting import eventually

NOW_MS = 1_000_000
ASK = Outgoing("a1", "bob", Kind.ASK, "Tea?", NOW_MS, NOW_MS + 60_000)


@pytest.fixture
def clock():
    return [NOW_MS]


@pytest.fixture
async def records(clock):
    return Records(MemoryStore(), now_ms=lambda: clock[0])


@pytest.fixture
async def deadlines(records):
    deadlines = Deadlines(records)
    await records.store.put_out(ASK)
    task = asyncio.create_task(deadlines.run())
    yield deadlines
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _state(records, id_):
    return (await records.store.out(id_)).state


async def test_an_ask_ends_when_its_time_has_come_and_not_before(records, deadlines, clock):
    later = replace(ASK, id="a2", expires_ms=NOW_MS + 120_000)
    await records.store.put_out(later)
    clock[0] = ASK.expires_ms
    deadlines.watch(later)  # wakes it
    await eventually(lambda: _expired(records, "a1"))
    assert await _state(records, "a2") is State.PENDING


async def test_what_the_store_had_open_is_watched_from_the_start(records, clock):
    await records.store.put_out(ASK)
    clock[0] = ASK.expires_ms
    task = asyncio.create_task(Deadlines(records).run())
    await eventually(lambda: _expired(records, "a1"))
    task.cancel()


async def test_an_ask_that_was_answered_stays_so(records, deadlines, clock):
    await records.advance("a1", State.ANSWERED)
    soon = replace(ASK, id="a2", expires_ms=NOW_MS)
    await records.store.put_out(soon)
    clock[0] = ASK.expires_ms
    deadlines.watch(soon)
    await eventually(lambda: _expired(records, "a2"))
    assert await _state(records, "a1") is State.ANSWERED


async def test_notes_and_answers_are_not_watched_and_asks_once(records):
    deadlines = Deadlines(records)
    deadlines.watch(replace(ASK, kind=Kind.NOTE))
    deadlines.watch(replace(ASK, kind=Kind.ANSWER))
    assert deadlines._due == []
    deadlines.watch(ASK)
    deadlines.watch(ASK)
    assert len(deadlines._due) == 1


async def _expired(records, id_):
    return await _state(records, id_) is State.EXPIRED
