import asyncio

import pytest

from magi.client.errors import AlreadySettled
from magi.client.model import Kind
from magi.daemon.port import Waiting
from magi.desk.ports import LEASE_MS
from tests.harness.offices import MODEL, OTHER, OWNER

USUAL = {"limit": 5, "wait_seconds": 0.0, "peek": False, "ask_id": ""}


async def ids(bureau, caller, **options):
    return [item.id for item in (await bureau.reading.inbox(caller=caller, **{**USUAL, **options})).items]


async def test_a_claim_that_ran_out_is_offered_to_another_session(bureau):
    """CLI-27."""
    await bureau.asked()
    assert await ids(bureau, MODEL) == ["q1"]
    assert await ids(bureau, OTHER) == []
    bureau.clock.ahead_ms += LEASE_MS
    assert await ids(bureau, OTHER) == ["q1"]
    assert await ids(bureau, MODEL) == []


async def test_a_wait_ends_when_a_claim_of_another_one_runs_out(bureau, monkeypatch):
    question = await bureau.asked()
    await bureau.store.claims.claim([question], "s2", bureau.clock() + 200)
    assert await ids(bureau, MODEL, wait_seconds=30.0) == ["q1"]


async def test_two_who_wait_do_not_both_get_a_question(bureau):
    waiting = [asyncio.create_task(ids(bureau, caller, wait_seconds=0.5)) for caller in (MODEL, OTHER)]
    await asyncio.sleep(0.01)
    await bureau.asked()
    assert sorted(await asyncio.gather(*waiting)) == [[], ["q1"]]


async def test_no_more_are_claimed_than_were_asked_for(bureau):
    for number in range(3):
        await bureau.asked(f"q{number}")
    assert await ids(bureau, MODEL, limit=2) == ["q0", "q1"]
    assert await ids(bureau, OTHER) == ["q2"]


async def test_a_session_counts_what_it_has_and_others_do_not(bureau):
    await bureau.asked()
    mine = await bureau.reading.inbox(caller=MODEL, **USUAL)
    assert mine.waiting == Waiting(("bob",))
    assert await bureau.reading.waiting() == Waiting()


async def test_each_question_counts_and_what_is_news_counts_apart(bureau):
    await bureau.asked("q1")
    await bureau.asked("q2")
    await bureau.asked("n1", kind=Kind.NOTICE, text="expired")
    await bureau.asked("a1", kind=Kind.ANSWER)
    assert await bureau.reading.waiting() == Waiting(("bob", "bob"), answers=1, notices=1)


async def test_an_expired_question_is_shown_to_nobody(bureau):
    await bureau.asked(expires_ms=bureau.clock() + 1_000)
    bureau.clock.ahead_ms += 2_000
    assert await ids(bureau, MODEL) == await ids(bureau, OWNER) == []


async def test_taking_note_twice_is_an_error(bureau):
    question = await bureau.asked()
    await bureau.reading.ack(question)
    with pytest.raises(AlreadySettled):
        await bureau.reading.ack(question)
    with pytest.raises(AlreadySettled):
        await bureau.reading.defer(question, 60.0)
