import asyncio

import pytest
from msgspec import Raw

from magi.client.errors import Displaced
from magi.client.model import Trace
from magi.daemon import reception as module
from magi.daemon.reception import Reception
from magi.desk.loops import mark
from magi.wire import content
from magi.wire import magi1_frames as f
from magi.wire.magi1_requests import Answer
from tests.harness.waiting import eventually


class IdleDeputy:
    """A deputy that has nothing to do, but writes down what nobody had whenever it was asked to look."""

    def __init__(self, bureau):
        self.claims = bureau.store.claims
        self.seen = []

    async def look(self):
        self.seen.append([offer.message.id for offer in await self.claims.offered("")])

    def sooner(self, seconds):
        return seconds


@pytest.fixture
def reception(bureau):
    return Reception(bureau.premises, bureau.people, bureau.answering, IdleDeputy(bureau))


async def settled(bureau, id_):
    return (await bureau.store.incoming("bob", id_)).settled


async def test_a_question_that_came_back_is_declined_and_says_why(bureau, reception):
    """CLI-39."""
    secret = await bureau.store.ledger.secret()
    await reception.meet(await bureau.asked("q1", trace=Trace("t1", (mark(secret, "t1"), "theirs"), 2)))
    await reception.meet(await bureau.asked("q2", trace=Trace("t1", ("theirs",), 2)))
    assert (await settled(bureau, "q1"), await settled(bureau, "q2")) == ("declined", "")
    (sent,) = await bureau.exchange.has_sent(1, Answer)
    assert b"came back to where it started" in bytes(sent.content)


async def test_a_full_store_declines_what_is_new_and_keeps_what_it_had(bureau, reception, monkeypatch):
    """CLI-11."""

    async def full():
        return True

    monkeypatch.setattr(bureau.store.record, "full", full)
    await reception.meet(await bureau.asked("q1", received_ms=bureau.clock() - 60_000))
    await reception.meet(await bureau.asked("q2", received_ms=bureau.clock() + 1_000))
    assert (await settled(bureau, "q1"), await settled(bureau, "q2")) == ("", "declined")
    (sent,) = await bureau.exchange.has_sent(1, Answer)
    assert b'"full"' in bytes(sent.content)


async def test_a_sender_that_was_never_heard_of_gets_a_petname(bureau, reception):
    await reception.meet(await bureau.asked(sender="dave", nickname="Dave"))
    assert await bureau.store.ledger.petname("dave") == "dave"


async def test_questions_that_nobody_answered_in_time_are_settled(bureau, reception):
    await bureau.asked(expires_ms=bureau.clock() + 60_000)
    running = asyncio.create_task(reception.run())
    try:
        await asyncio.sleep(0.01)
        assert not await settled(bureau, "q1")
        bureau.clock.ahead_ms += 60_000
        bureau.premises.pulse.beat()
        await eventually(lambda: is_settled(bureau, "q1", "expired"))
    finally:
        running.cancel()
        await asyncio.wait([running])


async def is_settled(bureau, id_, how):
    return await settled(bureau, id_) == how


async def test_the_deputy_looks_when_a_claim_runs_out(bureau, reception):
    question = await bureau.asked()
    await bureau.store.claims.claim([question], "s1", bureau.clock() + 200)
    running = asyncio.create_task(reception.run())
    try:
        await eventually(lambda: reception._deputy.seen[-1:] == [["q1"]])
        assert reception._deputy.seen[0] == []
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_a_store_that_fails_for_once_ends_nothing(bureau, reception, monkeypatch, caplog):
    calls = []
    expire = bureau.store.claims.expire

    async def fails_first():
        calls.append(1)
        if len(calls) == 1:
            raise OSError("No space left on device")
        return await expire()

    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(bureau.store.claims, "expire", fails_first)
    running = asyncio.create_task(reception.run())
    try:
        await eventually(lambda: len(calls) > 1)
        assert "reception.failed" in caplog.text
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_a_client_that_has_ended_leaves_the_desk_open(bureau, reception, caplog):
    running = asyncio.create_task(reception.run())
    try:
        bureau.client._fail(Displaced())
        await eventually(lambda: "client.over error=Displaced" in caplog.text)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_what_comes_is_met_and_rings(bureau, reception):

    running = asyncio.create_task(reception.run())
    try:
        beats = bureau.premises.pulse.beats
        body = content.encode_object(content.Content("ask", text="Which Redis?"))
        bureau.exchange.line.push(f.Question(Raw(body), from_="dave", fromNickname="Dave", id="q1", ts=1))
        await eventually(lambda: has_petname(bureau, "dave"))
        assert bureau.premises.pulse.beats > beats
    finally:
        running.cancel()
        await asyncio.wait([running])


async def has_petname(bureau, username):
    return bool(await bureau.store.ledger.petname(username))
