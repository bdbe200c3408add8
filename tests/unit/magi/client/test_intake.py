"""Twin of ``magi/client/intake.py``."""

import asyncio
import json

import pytest
from msgspec import Raw

from magi.client.circle import Circle
from magi.client.intake import Feed, Intake, state_of
from magi.client.line import FEATURES
from magi.client.memory import MemoryStore
from magi.client.model import Friend, Incoming, Kind, Origin, Outgoing, Tokens, Trace
from magi.client.outbox import Outbox
from magi.client.records import Records
from magi.client.states import State
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from tests.harness.lines import FakeExchange
from tests.harness.waiting import eventually

NOW_MS = 1_800_000_000_000
BOB = Friend("bob", "Bob", "k", online=True, features=frozenset(FEATURES))


class Rig:
    def __init__(self, store=None):
        self.exchange = FakeExchange()
        self.records = Records(store or MemoryStore(), now_ms=lambda: NOW_MS)
        self.store = self.records.store
        self.events = []
        self.about_lines = []
        self.circle = Circle(self.store, self.events.append)
        self.outbox = Outbox(self.records, self.circle, self.next_line, print)
        self.intake = Intake(self.records, self.circle, self.outbox, self.about_line)
        self.feed = Feed()

    async def next_line(self, _dead=None):
        return self.exchange.line

    async def about_line(self, frame, line):
        self.about_lines.append((frame, line))

    async def start(self, granted=FEATURES):
        self.exchange.granted = frozenset(granted)
        await self.circle._keep(BOB)
        self.line = await self.exchange.open("a", None, Tokens(), on_push=self.feed.push)
        self.feed.attach(self.line, self.intake.queue)
        self.task = asyncio.create_task(self.intake.run())

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.outbox.close()

    async def taken(self, frame):
        """Push a frame; wait until everything up to it is in the store."""
        self.feed.push(frame)
        done = f.Draining(len(self.about_lines), 0)
        self.feed.push(done)
        await eventually(lambda: any(one is done for one, _ in self.about_lines))

    async def asked(self, id_="a1", **fields):
        known = {"to": "bob", "kind": Kind.ASK, "text": "Tea?", "made_ms": NOW_MS, "expires_ms": NOW_MS + 1}
        await self.store.put_out(Outgoing(id_, **{**known, "state": State.DELIVERED, **fields}))

    async def state(self, id_="a1"):
        return (await self.store.out(id_)).state


@pytest.fixture
async def rig():
    rig = Rig()
    await rig.start()
    yield rig
    await rig.stop()


def thing(kind, **fields):
    return Raw(json.dumps({"magi": 1, "kind": kind, **fields}).encode())


def question(id_="q1", content=b'"Tea?"', offset="1-0", sender="bob", **fields):
    return f.Question(Raw(content), sender, sender.title(), id=id_, offset=offset, **fields)


def answered(id_="b1", content=b'"Yes."', offset="2-0", sender="bob", **fields):
    return f.Answered(Raw(content), sender, sender.title(), id=id_, offset=offset, **fields)


async def test_a_question_is_kept_with_all_it_says(rig):
    fields = {"thread": "t", "parent": "p", "origin": "model", "expires": NOW_MS + 5}
    content = thing("ask", text="Tea?", trace={"id": "x", "marks": ["m"], "turn": 2}, **fields)
    await rig.taken(question(content=content))
    assert await rig.store.inbox() == [
        Incoming(
            "q1",
            "bob",
            "Bob",
            Kind.ASK,
            "Tea?",
            NOW_MS,
            expires_ms=NOW_MS + 5,
            thread="t",
            parent="p",
            origin=Origin.MODEL,
            trace=Trace("x", ("m",), 2),
            offset="1-0",
        )
    ]


async def test_what_stands_beside_plain_text_counts_too(rig):
    await rig.taken(question(trace=("m1", "m2"), expires=NOW_MS + 7))
    (kept,) = await rig.store.inbox()
    assert (kept.text, kept.trace, kept.expires_ms) == ("Tea?", Trace(marks=("m1", "m2")), NOW_MS + 7)


async def test_pushes_without_id_get_ids_of_their_own(rig):
    for _ in range(2):
        await rig.taken(f.Question(Raw(b'"Tea?"'), "bob", "Bob"))
    one, two = await rig.store.inbox()
    assert one.id != two.id
    assert rig.line.acked == []


async def test_content_of_a_newer_client_is_kept_as_foreign(rig):
    await rig.taken(question(content=thing("dance", text="hi")))
    (kept,) = await rig.store.inbox()
    assert (kept.kind, json.loads(kept.text)["kind"]) == (Kind.FOREIGN, "dance")


async def test_the_store_has_it_before_the_exchange_hears_so():
    class Slow(MemoryStore):
        def __init__(self):
            super().__init__()
            self.go = asyncio.Event()

        async def put_in(self, message):
            await self.go.wait()
            return await super().put_in(message)

    rig = Rig(Slow())
    await rig.start()
    try:
        rig.feed.push(question("q1", offset="1-0"))
        rig.feed.push(question("q2", offset="2-0"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert rig.line.acked == []
        rig.store.go.set()
        await eventually(lambda: rig.line.acked[-1:] == ["2-0"])
        assert len(await rig.store.inbox()) == 2
    finally:
        await rig.stop()


async def test_several_pushes_share_one_ack(rig):
    for n in range(10):
        rig.feed.push(question(f"q{n}", offset=f"{n + 1}-0"))
    await eventually(lambda: rig.line.acked[-1:] == ["10-0"])
    assert len(rig.line.acked) == 1


async def test_what_the_store_cannot_keep_is_not_acknowledged_and_ends_the_task():
    class Full(MemoryStore):
        async def put_in(self, message):
            raise OSError("disk full")

    rig = Rig(Full())
    await rig.start()
    rig.feed.push(question())
    with pytest.raises(OSError, match="disk full"):
        await rig.task
    assert rig.line.acked == []


async def test_a_double_is_acknowledged_and_dropped(rig):
    await rig.taken(question(offset="1-0"))
    await rig.taken(question(offset="2-0"))
    assert len(await rig.store.inbox()) == 1
    assert rig.line.acked[-1] == "2-0"
    assert len(await rig.exchange.has_sent(1, r.Answer)) == 1, "its arrival is reported once"


async def test_nothing_is_taken_in_before_the_line_is_ready_and_then_in_order():
    rig = Rig()
    rig.feed.push(question("q1"))
    await rig.start()
    try:
        rig.feed.push(question("q2"))
        await eventually(lambda: _count(rig, 2))
        assert [item.id for item in await rig.store.inbox()] == ["q1", "q2"]
    finally:
        await rig.stop()


async def test_each_line_gets_its_own_ack(rig):
    other = Feed()
    line = await rig.exchange.open("b", None, Tokens(), on_push=other.push)
    other.attach(line, rig.intake.queue)
    rig.feed.push(question("q1", offset="1-0"))
    other.push(question("q2", offset="2-0"))
    await eventually(lambda: rig.line.acked == ["1-0"] and line.acked == ["2-0"])


# --- arrivals --------------------------------------------------------------------------------------------------------


async def test_the_arrival_of_an_ask_is_reported_to_a_client_that_understands_it(rig):
    await rig.taken(question(content=thing("ask", text="Tea?")))
    (sent,) = await rig.exchange.has_sent(1, r.Answer)
    assert (sent.to, sent.replyTo) == ("bob", "q1")
    assert json.loads(bytes(sent.content)) == {"magi": 1, "kind": "state", "state": "arrived", "origin": "auto"}


async def test_nobody_is_told_who_would_not_understand_and_of_nothing_but_asks(rig):
    await rig.circle._keep(Friend("carol", "Carol"))
    await rig.taken(question("q1", sender="carol"))
    await rig.taken(question("q2", content=thing("note", text="Hi")))
    await rig.taken(question("q3", content=thing("dance")))
    await rig.taken(answered())
    assert await rig.store.unsent() == []
    assert rig.exchange.sent(r.Answer) == []


async def test_without_objects_on_our_side_no_arrival_is_reported():
    rig = Rig()
    await rig.start(("ids",))
    try:
        await rig.taken(question())
        assert rig.exchange.requests == []
    finally:
        await rig.stop()


def test_a_state_is_not_worth_more_time_than_its_ask():
    ask = Incoming("q1", "bob", "Bob", Kind.ASK, "Tea?", NOW_MS, expires_ms=NOW_MS + 5)
    said = state_of(ask, State.SEEN, NOW_MS)
    assert (said.to, said.text, said.reply_to, said.expires_ms) == ("bob", "seen", "q1", NOW_MS + 5)


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_an_answer_that_names_its_ask_ends_it(rig):
    await rig.asked("a1")
    await rig.asked("a2")
    await rig.taken(answered(replyTo="a2"))
    assert [await rig.state("a1"), await rig.state("a2")] == [State.DELIVERED, State.ANSWERED]
    assert (await rig.store.answer_to("a2")).matched == "id"


async def test_an_answer_that_names_none_belongs_to_the_oldest_open_ask_that_left(rig):
    await rig.asked("held", state=State.HELD_HERE)
    await rig.asked("unsent", state=State.PENDING)
    await rig.asked("other", to="carol")
    await rig.asked("a1")
    await rig.asked("a2")
    await rig.taken(f.Answered(Raw(b'"Yes."'), "bob", "Bob"))
    assert [await rig.state(id_) for id_ in ("held", "unsent", "other", "a1", "a2")] == [
        State.HELD_HERE,
        State.PENDING,
        State.DELIVERED,
        State.ANSWERED,
        State.DELIVERED,
    ]
    assert (await rig.store.answer_to("a1")).matched == "order"


async def test_an_answer_may_be_faster_than_the_receipt(rig):
    rig.exchange.plan(r.Ask, None)
    await rig.outbox.put(Outgoing("a1", "bob", Kind.ASK, "Tea?", NOW_MS, NOW_MS + 60_000))
    await rig.exchange.has_sent(1)
    await rig.taken(f.Answered(Raw(b'"Yes."'), "bob", "Bob"))
    assert await rig.state() is State.ANSWERED


async def test_with_no_open_ask_an_answer_goes_to_the_inbox(rig):
    await rig.asked(state=State.EXPIRED)
    await rig.taken(answered())
    (kept,) = await rig.store.inbox()
    assert (kept.kind, kept.reply_to, kept.matched) == (Kind.ANSWER, "", "")


async def test_a_late_answer_still_says_what_it_belongs_to(rig):
    await rig.asked(state=State.EXPIRED)
    await rig.taken(answered(replyTo="a1"))
    (kept,) = await rig.store.inbox()
    assert (kept.reply_to, kept.matched) == ("a1", "id")
    assert await rig.state() is State.EXPIRED


async def test_nobody_can_answer_what_another_friend_was_asked(rig):
    await rig.asked()
    await rig.taken(answered(replyTo="a1", sender="mallory"))
    await rig.taken(answered("b2", thing("state", state="seen"), replyTo="a1", sender="mallory"))
    assert await rig.state() is State.DELIVERED
    (kept,) = await rig.store.inbox()
    assert (kept.sender, kept.reply_to) == ("mallory", "")


async def test_whoever_took_another_name_can_still_answer(rig):
    await rig.asked(to="robert")
    await rig.taken(answered(replyTo="a1"))
    assert await rig.state() is State.ANSWERED


async def test_a_decline_ends_its_ask_with_its_reason(rig):
    await rig.asked()
    await rig.taken(answered(content=thing("decline", reason="busy"), replyTo="a1"))
    assert (await rig.state(), (await rig.store.out("a1")).detail) == (State.DECLINED, "busy")


@pytest.mark.parametrize("word", ["arrived", "held", "seen", "stalled"])
async def test_a_friends_client_reports_how_our_ask_stands(rig, word):
    await rig.asked()
    await rig.taken(answered(content=thing("state", state=word), replyTo="a1"))
    assert await rig.state() is State(word)
    assert await rig.store.inbox() == []
    assert rig.line.acked[-1] == "2-0"


@pytest.mark.parametrize("word", ["answered", "failed", "withdrawn", "pending", "dancing", ""])
async def test_a_friends_client_cannot_say_what_is_not_its_to_say(rig, word):
    await rig.asked()
    await rig.taken(answered(content=thing("state", state=word), replyTo="a1"))
    assert await rig.state() is State.DELIVERED
    assert await rig.store.inbox() == []
    assert (await rig.store.incoming("bob", "b1")).kind is Kind.FOREIGN


# --- the rest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "state", "word"),
    [
        (f.Expired("a1", "bob", "3-0"), State.EXPIRED, "expired"),
        (f.Parked("a1", "bob", "3-0"), State.FAILED, "parked"),
    ],
)
async def test_a_notice_ends_its_message_and_is_shown(rig, frame, state, word):
    await rig.asked()
    await rig.taken(frame)
    assert await rig.state() is state
    (notice,) = await rig.store.inbox()
    assert (notice.kind, notice.text, notice.reply_to, notice.nickname) == (Kind.NOTICE, word, "a1", "Bob")
    assert rig.line.acked[-1] == "3-0"


async def test_nobody_is_bothered_about_a_state_that_was_not_delivered(rig):
    await rig.asked(kind=Kind.STATE)
    await rig.taken(f.Expired("a1", "bob", "3-0"))
    await rig.taken(f.Parked("unknown", "bob", "4-0"))
    assert await rig.store.inbox() == []


async def test_messages_of_users_we_shun_are_thrown_away_and_acknowledged(rig):
    rig.intake.shunned.add("bob")
    await rig.taken(question())
    assert await rig.store.inbox() == []
    assert rig.line.acked[-1] == "1-0"


async def test_friends_come_change_and_go(rig):
    await rig.taken(f.FriendConnected("k2", f.Friend("carol", "Carol", True, ["ids"])))
    await rig.taken(f.FriendPresence(f.Friend("carol", "Carol"), True, "working"))
    await rig.taken(f.FriendDisconnected(f.Friend("bob", "Bob")))
    assert [event.kind for event in rig.events] == ["friend_connected", "friend_presence", "friend_disconnected"]
    assert [(friend.username, friend.status) for friend in rig.circle.all()] == [("carol", "working")]


async def test_without_presence_a_friend_who_left_may_come_back():
    rig = Rig()
    await rig.start(())
    try:
        await rig.taken(f.FriendDisconnected(f.Friend("bob", "Bob")))
        assert not rig.circle.get("bob").online
    finally:
        await rig.stop()


async def test_what_is_about_the_line_goes_to_its_owner(rig):
    gap = f.Gap(5)
    await rig.taken(gap)
    assert (gap, rig.line) in rig.about_lines


async def _count(rig, count):
    return len(await rig.store.inbox()) == count
