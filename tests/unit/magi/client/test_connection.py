"""Twin of ``magi/client/connection.py``."""

import asyncio
import random

import pytest

from magi.client import connection as module
from magi.client.connection import Connection
from magi.client.errors import (
    Displaced,
    InviteRefused,
    NameTaken,
    NotConnected,
    OutcomeUnknown,
    TokenRefused,
    Unavailable,
)
from magi.client.line import FEATURES, Identity
from magi.client.memory import MemoryStore
from magi.client.model import Tokens
from magi.client.records import Records
from magi.client.resume import Course
from magi.wire import magi1_requests as r
from magi.wire.magi1_frames import Draining
from tests.harness.lines import FakeExchange
from tests.harness.waiting import WAIT_SECONDS, eventually

ADDRESSES = ("ws://a/", "ws://b/")


class Rig:
    def __init__(self, *granted):
        self.exchange = FakeExchange(granted)
        self.records = Records(MemoryStore())
        self.attached = []
        self.settled = []
        self.events = []
        self.connection = Connection(
            self.records,
            Course(ADDRESSES, random=random.Random(1)),
            Identity("alice", "Alice"),
            open_line=self.exchange.open,
            settle_in=self.settle_in,
            attach=lambda _feed, line: self.attached.append(line),
            tell=lambda event: self.events.append(event.kind),
        )
        self.task = None

    async def settle_in(self, line):
        self.settled.append((line, self.connection.line, (await self.records.store.tokens()).current))

    async def start(self):
        self.task = asyncio.create_task(self.connection.run())
        return await self.line()

    async def line(self, dead=None):
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.connection.next_line(dead)

    async def stop(self):
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.connection.close()


@pytest.fixture
async def rig(monkeypatch):
    monkeypatch.setattr("magi.client.resume.FIRST_SECONDS", 0.001)
    monkeypatch.setattr(module, "DEAD_LINE_SECONDS", 0.01)
    rig = Rig(*FEATURES)
    yield rig
    await rig.stop()


async def test_the_token_is_kept_and_all_is_settled_before_anybody_gets_the_line(rig):
    rig.exchange.tokens.append("t1")
    line = await rig.start()
    assert rig.settled == [(line, None, "t1")]
    assert rig.attached == [line]
    assert rig.events == ["connected"]


async def test_it_comes_back_elsewhere_with_the_newest_token(rig):
    rig.exchange.tokens.extend(["t1", "t2"])
    first = await rig.start()
    first.end()
    await eventually(lambda: len(rig.exchange.lines) == 2 and rig.connection.line)
    second = rig.connection.line
    assert second.tokens == Tokens("t1", "")
    assert await rig.records.store.tokens() == Tokens("t2", "t1")
    assert second.server != first.server
    assert rig.events == ["connected", "disconnected", "connected"]


async def test_failed_attempts_are_repeated_and_say_why_meanwhile(rig):
    rig.exchange.refusals.extend([NotConnected("no route"), NotConnected("no name")])
    await rig.start()
    assert rig.connection.trouble is None
    assert len(rig.exchange.attempts) == 3


@pytest.mark.parametrize("error", [NameTaken(), TokenRefused()])
async def test_a_name_that_is_not_ours_ends_it(rig, error):
    rig.exchange.refusals.append(error)
    with pytest.raises(type(error)):
        await rig.connection.run()


async def test_a_name_that_we_held_just_now_is_tried_again(rig):
    first = await rig.start()
    rig.exchange.refusals.extend([NameTaken(), NameTaken()])
    first.end()
    await eventually(lambda: len(rig.exchange.lines) == 2)


async def test_addresses_that_all_shut_us_out_end_it(rig):
    rig.exchange.refusals.extend([NotConnected(status=403), NotConnected(status=404)])
    with pytest.raises(NotConnected):
        await rig.connection.run()


async def test_the_second_displacement_ends_it(rig, monkeypatch):
    monkeypatch.setattr("magi.client.resume.DISPLACED_RETRY_SECONDS", 0.0)
    (await rig.start()).end(1000, "Session continues elsewhere")
    await eventually(lambda: len(rig.exchange.lines) == 2)
    await eventually(lambda: rig.connection.line is rig.exchange.line)
    rig.exchange.line.end(1000, "Session continues elsewhere")
    with pytest.raises(Displaced):
        await rig.task
    assert rig.events[-1] == "displaced"


async def test_a_line_that_is_drained_is_used_until_the_next_one_is_there(rig):
    first = await rig.start()
    held = asyncio.Event()
    opening = rig.exchange.open

    async def slowly(*args, **options):
        await held.wait()
        return await opening(*args, **options)

    rig.connection._open_line = slowly
    rig.connection.drain(Draining(0, 1), first)
    for _ in range(5):
        await asyncio.sleep(0.005)
    assert rig.connection.line is first
    assert not first.closed
    held.set()
    await eventually(lambda: rig.connection.line is not first)
    await eventually(lambda: first.closed)
    assert rig.connection.line.server != first.server
    assert rig.events == ["connected", "connected"], "we were never away"


async def test_when_the_node_closes_the_line_first_its_moment_is_not_waited_for(rig):
    first = await rig.start()
    rig.connection.drain(Draining(60_000, 60_000), first)
    await eventually(lambda: rig.connection._course._opened_at is None)
    assert len(rig.exchange.lines) == 1
    first.end(1001)
    await eventually(lambda: len(rig.exchange.lines) == 2 and rig.connection.line)
    assert rig.connection.line.server != first.server
    assert rig.events == ["connected", "disconnected", "connected"]


async def test_only_the_present_line_can_be_drained(rig):
    first = await rig.start()
    first.end()
    await eventually(lambda: rig.connection.line is rig.exchange.line and len(rig.exchange.lines) == 2)
    rig.connection.drain(Draining(0, 0), first)
    assert not rig.connection._leave.is_set()


async def test_a_line_on_which_nothing_is_said_identifies_again(rig, monkeypatch):
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.01)
    await rig.start()
    one, two, *_ = await rig.exchange.has_sent(2, r.Identify)
    assert (one.username, one.nickname, one.token) == ("alice", "Alice", None)
    assert one.id != two.id


async def test_a_line_that_cannot_say_anything_is_given_up(rig, monkeypatch):
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.01)
    rig.exchange.plan(r.Identify, OutcomeUnknown())
    first = await rig.start()
    await eventually(lambda: first.closed)
    await eventually(lambda: len(rig.exchange.lines) == 2)


async def test_a_dead_line_is_waited_out_but_not_for_ever(rig):
    first = await rig.start()
    assert await rig.line(first) is first
    waiting = asyncio.create_task(rig.line(first))
    first.end()
    await waiting
    await eventually(lambda: rig.connection.line not in (None, first))


# --- requests --------------------------------------------------------------------------------------------------------


async def test_a_request_is_repeated_under_its_id_while_its_outcome_is_unknown(rig):
    rig.exchange.plan(r.CreateInvite, OutcomeUnknown(), NotConnected())
    await rig.start()
    await rig.connection.request(r.CreateInvite())
    sent = rig.exchange.sent(r.CreateInvite)
    assert len(sent) == 3
    assert len({frame.id for frame in sent}) == 1
    assert len(sent[0].id) == 26


async def test_repeating_has_an_end(rig):
    rig.exchange.plan(r.CreateInvite, *[OutcomeUnknown()] * 9)
    await rig.start()
    with pytest.raises(OutcomeUnknown):
        await rig.connection.request(r.CreateInvite())
    assert len(rig.exchange.sent(r.CreateInvite)) == module.TRIES_COUNT


@pytest.mark.parametrize("error", [InviteRefused("no"), Unavailable("later")])
async def test_a_refused_request_is_not_repeated(rig, error):
    rig.exchange.plan(r.Connect, error)
    await rig.start()
    with pytest.raises(type(error)):
        await rig.connection.request(r.Connect(code="ABC123"))
    assert len(rig.exchange.sent(r.Connect)) == 1


async def test_on_a_plain_line_requests_have_no_id_and_are_not_repeated():
    rig = Rig()
    rig.exchange.plan(r.CreateInvite, OutcomeUnknown())
    await rig.start()
    try:
        with pytest.raises(OutcomeUnknown):
            await rig.connection.request(r.CreateInvite())
        assert [frame.id for frame in rig.exchange.sent(r.CreateInvite)] == [None]
    finally:
        await rig.stop()


async def test_without_a_line_a_request_says_why_after_a_while(rig, monkeypatch):
    monkeypatch.setattr(module, "LINE_SECONDS", 0.01)
    with pytest.raises(NotConnected):
        await rig.connection.request(r.CreateInvite())
    rig.connection.trouble = Unavailable("the exchange is full")
    with pytest.raises(Unavailable, match="full"):
        await rig.connection.request(r.CreateInvite())


async def test_a_store_that_cannot_keep_the_token_ends_it_and_leaves_no_line(rig):
    async def fails(_token):
        raise OSError("disk full")

    rig.exchange.tokens.append("t1")
    rig.records.store.keep_token = fails
    with pytest.raises(OSError, match="disk full"):
        await rig.connection.run()
    assert rig.exchange.line.closed
    assert rig.connection.line is None
