"""Twin of ``magi/client/outbox.py``."""

import asyncio
import json

import pytest

from magi.client.circle import Circle
from magi.client.errors import (
    AlreadySettled,
    FriendAway,
    NotConnected,
    OutcomeUnknown,
    RateLimited,
    Refused,
    TooLarge,
    Unavailable,
)
from magi.client.memory import MemoryStore
from magi.client.model import Friend, Incoming, Kind, Outgoing, Tokens, Trace
from magi.client.outbox import PLAIN_REPEAT_MS, Outbox, new_id
from magi.client.records import Records
from magi.client.states import State
from magi.wire import magi1_requests as r
from tests.harness.lines import FakeExchange
from tests.harness.waiting import eventually

NOW_MS = 1_800_000_000_000
FULL = frozenset({"ids", "objects"})


class Rig:
    """An outbox, its store, and an exchange that plays along."""

    def __init__(self, *granted: str) -> None:
        self.now_ms = NOW_MS
        self.exchange = FakeExchange(granted)
        self.records = Records(MemoryStore(), now_ms=lambda: self.now_ms)
        self.circle = Circle(self.records.store, lambda _event: None)
        self.errors: list[Exception] = []
        self.outbox = Outbox(self.records, self.circle, self.next_line, self.errors.append)

    async def next_line(self, dead=None):
        if dead is not None or not self.exchange.lines or self.exchange.line.closed:
            await self.exchange.open("a", None, Tokens(), on_push=print)
        return self.exchange.line

    async def friend(self, username="bob", features=FULL):
        await self.circle._keep(Friend(username, username.title(), features=features))

    async def put(self, id_="a1", **fields):
        return await self.outbox.put(message(id_, **fields))

    async def state(self, id_="a1"):
        return (await self.records.store.out(id_)).state

    async def until(self, state, id_="a1"):
        await eventually(lambda: self._is(id_, state))

    async def _is(self, id_, state):
        return await self.state(id_) is state


def message(id_="a1", **fields):
    known = {"to": "bob", "kind": Kind.ASK, "text": "Tea?", "made_ms": NOW_MS, "expires_ms": NOW_MS + 86_400_000}
    return Outgoing(id_, **{**known, **fields})


@pytest.fixture
async def rig():
    rig = Rig("ids", "objects", "offline")
    await rig.friend()
    yield rig
    await rig.outbox.close()
    assert rig.errors == []


@pytest.fixture
async def plain():
    rig = Rig()
    yield rig
    await rig.outbox.close()


def test_ids_are_128_random_bits_in_26_characters():
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(id_) for id_ in ids} == {26}
    assert set("".join(ids)) <= set("abcdefghijklmnopqrstuvwxyz234567")


@pytest.mark.parametrize(("status", "state"), [("delivered", State.DELIVERED), ("queued", State.QUEUED)])
async def test_a_receipt_says_how_it_stands(rig, status, state):
    rig.exchange.status = status
    assert await rig.put()
    await rig.until(state)


async def test_a_friend_that_understands_objects_gets_one_and_the_frame_has_all_fields(rig):
    await rig.put(thread="t", trace=Trace("x", ("m1",), 2))
    (sent,) = await rig.exchange.has_sent(1)
    assert (sent.to, sent.id, sent.trace, sent.expires) == ("bob", "a1", ["m1"], NOW_MS + 86_400_000)
    assert json.loads(bytes(sent.content)) == {
        "magi": 1,
        "kind": "ask",
        "text": "Tea?",
        "thread": "t",
        "origin": "human",
        "trace": {"id": "x", "marks": ["m1"], "turn": 2},
        "expires": NOW_MS + 86_400_000,
    }


async def test_a_plain_friend_gets_text(rig):
    await rig.friend("carol", frozenset())
    await rig.put(to="carol")
    await rig.put("a2", to="stranger", kind=Kind.NOTE, text="Hello")
    sent = await rig.exchange.has_sent(2)
    assert [bytes(one.content) for one in sent] == [b'"Tea?"', b'"Hello"']


async def test_an_answer_names_its_question_and_no_expiry(rig):
    await rig.put(kind=Kind.ANSWER, reply_to="q1", text="Yes.")
    (sent,) = await rig.exchange.has_sent(1, r.Answer)
    assert (sent.replyTo, sent.id, sent.expires) == ("q1", "a1", None)
    assert json.loads(bytes(sent.content)) == {"magi": 1, "kind": "answer", "text": "Yes.", "origin": "human"}


async def test_a_plain_exchange_gets_nothing_it_does_not_know(plain):
    await plain.friend()
    await plain.put(trace=Trace(marks=("m",)))
    await plain.put("a2", kind=Kind.ANSWER, reply_to="q1")
    (ask,), (answer,) = await plain.exchange.has_sent(1), await plain.exchange.has_sent(1, r.Answer)
    assert ask == r.Ask(content=ask.content, to="bob")
    assert answer == r.Answer(content=answer.content, to="bob")
    assert bytes(ask.content) == b'"Tea?"'
    await plain.until(State.DELIVERED)


async def test_a_state_for_a_client_that_could_not_read_it_is_not_sent(rig):
    await rig.put(to="carol", kind=Kind.STATE, text="seen")
    await rig.until(State.FAILED)
    assert rig.exchange.requests == []


async def test_one_message_per_friend_waits_for_its_receipt_and_friends_do_not_wait(rig):
    rig.exchange.plan(r.Ask, None)
    await rig.put("a1")
    await rig.put("a2")
    await rig.put("c1", to="carol")
    await rig.until(State.DELIVERED, "c1")
    assert [sent.id for sent in rig.exchange.sent()] == ["a1", "c1"]
    rig.exchange.line.end()
    await rig.until(State.DELIVERED, "a2")
    assert [sent.id for sent in rig.exchange.sent() if sent.to == "bob"] == ["a1", "a1", "a2"]


async def test_the_same_id_stands_for_one_message(rig):
    assert await rig.put()
    assert not await rig.put(text="Coffee?")
    await rig.until(State.DELIVERED)
    assert len(rig.exchange.sent()) == 1


async def test_what_is_too_large_is_refused_before_it_is_kept(rig):
    with pytest.raises(TooLarge):
        await rig.put(text="x" * (1 << 20))
    assert await rig.records.store.out("a1") is None


async def test_a_question_is_answered_once(rig):
    await rig.records.put_in(Incoming("q1", "bob", "Bob", Kind.ASK, "Tea?", NOW_MS))
    await rig.put(kind=Kind.ANSWER, reply_to="q1")
    with pytest.raises(AlreadySettled):
        await rig.put("a2", kind=Kind.ANSWER, reply_to="q1")


async def test_what_the_store_has_unsent_is_sent_in_order(rig):
    for id_ in ("a1", "a2"):
        await rig.records.store.put_out(message(id_))
    await rig.outbox.flush()
    await rig.outbox.flush()
    await rig.until(State.DELIVERED, "a2")
    assert [sent.id for sent in rig.exchange.sent()] == ["a1", "a2"]


async def test_what_is_held_or_withdrawn_is_not_sent(rig):
    await rig.put("held", state=State.HELD_HERE)
    rig.exchange.plan(r.Ask, None)
    await rig.put("first")
    await rig.put("a1")
    await rig.exchange.has_sent(1)
    await rig.records.advance("a1", State.WITHDRAWN)
    rig.exchange.line.end()
    await rig.put("last")
    await rig.until(State.DELIVERED, "last")
    assert [sent.id for sent in rig.exchange.sent()] == ["first", "first", "last"]


# --- what may go wrong -----------------------------------------------------------------------------------------------


async def test_no_receipt_means_the_same_id_and_content_again(rig):
    rig.exchange.plan(r.Ask, OutcomeUnknown(), None, NotConnected())
    await rig.put()
    await rig.exchange.has_sent(2)
    assert rig.outbox.tried("a1")
    await rig.friend(features=frozenset())  # it comes back with another client meanwhile
    rig.exchange.line.end()
    await rig.until(State.DELIVERED)
    sent = rig.exchange.sent()
    assert len(sent) == 4
    assert {(one.id, bytes(one.content)) for one in sent} == {("a1", bytes(sent[0].content))}
    assert not rig.outbox.tried("a1")


async def test_a_plain_friend_is_not_sent_a_repeat_that_the_exchange_has_forgotten(rig):
    await rig.friend("carol", frozenset())
    rig.exchange.plan(r.Ask, OutcomeUnknown(), None)
    await rig.put(to="carol")
    await rig.exchange.has_sent(2)
    rig.now_ms += PLAIN_REPEAT_MS
    rig.exchange.line.end()
    await rig.until(State.UNKNOWN)
    assert len(rig.exchange.sent()) == 2


async def test_on_a_plain_exchange_nothing_is_repeated_by_itself(plain):
    plain.exchange.plan(r.Ask, OutcomeUnknown())
    await plain.put()
    await plain.until(State.UNKNOWN)
    plain.exchange.granted = frozenset({"ids"})  # whatever the next line is like
    plain.exchange.line.end()
    await plain.put("a2")
    await plain.until(State.DELIVERED, "a2")
    assert [sent.id for sent in plain.exchange.sent()] == [None, "a2"]


async def test_what_is_unknown_is_not_repeated_to_an_exchange_that_is_plain_now(rig):
    rig.exchange.plan(r.Ask, OutcomeUnknown(), None)
    await rig.put()
    await rig.exchange.has_sent(2)
    rig.exchange.granted = frozenset()
    rig.exchange.line.end()
    await rig.until(State.UNKNOWN)
    assert len(rig.exchange.sent()) == 2


async def test_what_was_never_written_is_sent_also_to_a_plain_exchange(plain):
    plain.exchange.plan(r.Ask, NotConnected())
    await plain.put()
    await plain.until(State.DELIVERED)


@pytest.mark.parametrize("later", [RateLimited("slow", "rate_limited", 1), Unavailable("later", 1)])
async def test_later_means_again_after_a_while(rig, monkeypatch, later):
    monkeypatch.setattr("magi.client.outbox.FIRST_DELAY_SECONDS", 0.001)
    rig.exchange.plan(r.Ask, later, later)
    await rig.put()
    await rig.until(State.DELIVERED)
    assert [sent.id for sent in rig.exchange.sent()] == ["a1"] * 3


@pytest.mark.parametrize(
    ("refusal", "state", "detail"),
    [
        (FriendAway("Bob is not connected", "not_connected"), State.FAILED, "Bob is not connected"),
        (TooLarge("Message too large", "too_large"), State.FAILED, "Message too large"),
        (Refused("Message has already expired", "already_expired"), State.EXPIRED, "Message has already expired"),
        (Refused("Message id was already used for another message", "id_reused"), State.UNKNOWN, ""),
    ],
)
async def test_a_refusal_is_final_and_the_next_message_goes_on(rig, refusal, state, detail):
    rig.exchange.plan(r.Ask, refusal)
    await rig.put()
    await rig.put("a2")
    await rig.until(state)
    await rig.until(State.DELIVERED, "a2")
    assert (await rig.records.store.out("a1")).detail == detail


async def test_what_has_expired_is_not_sent(rig):
    await rig.put(expires_ms=NOW_MS)
    await rig.until(State.EXPIRED)
    assert rig.exchange.requests == []


async def test_what_expires_while_there_is_no_line_ends_as_expired(rig):
    async def never(_dead):
        await asyncio.get_running_loop().create_future()

    rig.outbox._next_line = never
    await rig.put(expires_ms=NOW_MS + 10)
    await asyncio.sleep(0)
    rig.now_ms += 10
    await rig.until(State.EXPIRED)


async def test_a_gap_brings_back_what_nobody_has_read(rig):
    await rig.put("read")
    await rig.put("unread")
    await rig.put("done")
    await rig.put("reply", kind=Kind.ANSWER)
    await rig.until(State.DELIVERED, "reply")
    await rig.records.advance("read", State.ARRIVED)
    await rig.records.advance("done", State.ANSWERED)
    rig.exchange.requests.clear()
    await rig.outbox.after_gap(NOW_MS)
    await rig.exchange.has_sent(1, r.Answer)
    assert [sent.id for sent in rig.exchange.requests] == ["unread", "reply"]


async def test_what_was_answered_long_before_a_gap_is_left(rig):
    await rig.put("reply", kind=Kind.ANSWER)
    await rig.until(State.DELIVERED, "reply")
    rig.exchange.requests.clear()
    await rig.outbox.after_gap(NOW_MS + 3_600_000)
    await rig.put()
    await rig.until(State.DELIVERED)
    assert [sent.id for sent in rig.exchange.requests] == ["a1"]


async def test_a_store_that_fails_ends_the_client(rig):
    class Broken(MemoryStore):
        async def advance(self, *_args):
            raise OSError("disk full")

    rig.records.store = Broken()
    await rig.put()
    await eventually(lambda: rig.errors)
    assert isinstance(rig.errors.pop(), OSError)


async def test_finishing_waits_for_what_is_under_way_but_not_for_ever(rig):
    rig.exchange.plan(r.Ask, None)
    await rig.put()
    await rig.outbox.finish(0.01)
    assert await rig.state() is State.PENDING
    rig.exchange.line.end()
    await rig.outbox.finish(10)
    assert await rig.state() is State.DELIVERED


async def test_what_was_cut_off_by_closing_is_still_unsent(rig):
    rig.exchange.plan(r.Ask, None)
    await rig.put()
    await rig.exchange.has_sent(1)
    await rig.outbox.close()
    assert [one.id for one in await rig.records.store.unsent()] == ["a1"]
