"""Twin of ``magi/client/inbox.py``."""

import asyncio
import contextlib

import pytest

from magi.client.asks import Answer
from magi.client.circle import Circle
from magi.client.errors import AlreadySettled, Displaced
from magi.client.inbox import PAGE_COUNT, Inbox, Notice, Question
from magi.client.memory import MemoryStore
from magi.client.model import Incoming, Kind, Origin, Trace
from magi.client.outbox import Outbox
from magi.client.records import Records
from tests.harness.waiting import WAIT_SECONDS

NOW_MS = 1_800_000_000_000


@pytest.fixture
def records():
    return Records(MemoryStore(), now_ms=lambda: NOW_MS)


@pytest.fixture
async def inbox(records):
    async def never(_dead):
        await asyncio.get_running_loop().create_future()

    outbox = Outbox(records, Circle(records.store, print), never, print)
    yield Inbox(records, outbox)
    await outbox.close()


def message(id_="b1", **fields):
    known = {"sender": "bob", "nickname": "Bob", "kind": Kind.ASK, "text": "Tea?", "received_ms": NOW_MS}
    return Incoming(id_, **{**known, **fields})


async def take(inbox, count, kinds=()):
    """Read so many items as one reader."""
    got = []
    async with asyncio.timeout(WAIT_SECONDS), contextlib.aclosing(inbox.items(kinds)) as items:
        while len(got) < count:
            got.append(await anext(items))
    return got


async def test_each_kind_comes_as_what_it_is(records, inbox):
    kinds = (Kind.ASK, Kind.NOTE, Kind.ANSWER, Kind.DECLINE, Kind.NOTICE, Kind.FOREIGN)
    for kind in kinds:
        await records.put_in(message(kind.value, kind=kind, reply_to="a1"))
    items = await take(inbox, len(kinds))
    assert [type(item) for item in items] == [Question, Question, Answer, Answer, Notice, Notice]
    assert [item.wants_answer for item in items[:2]] == [True, False]
    assert [item.declined for item in items[2:4]] == [False, True]
    assert [(item.kind, item.about, item.text) for item in items[4:]] == [
        (Kind.NOTICE, "a1", "Tea?"),
        (Kind.FOREIGN, "a1", "Tea?"),
    ]


async def test_what_comes_later_is_waited_for(records, inbox):
    reading = asyncio.create_task(take(inbox, 1))
    await asyncio.sleep(0)
    await records.put_in(message())
    assert (await reading)[0].message == message()


async def test_each_item_is_offered_once_whoever_reads(records, inbox):
    for n in range(6):
        await records.put_in(message(f"b{n}"))
    both = await asyncio.gather(take(inbox, 3), take(inbox, 3))
    assert sorted(item.id for items in both for item in items) == [f"b{n}" for n in range(6)]


async def test_more_open_items_than_a_page_are_all_offered(records, inbox):
    count = 2 * PAGE_COUNT + 1
    for n in range(count):
        await records.put_in(message(f"b{n}"))
    assert [item.id for item in await take(inbox, count)] == [f"b{n}" for n in range(count)]


async def test_only_the_kinds_that_were_asked_for_are_offered(records, inbox):
    await records.put_in(message("n1", kind=Kind.NOTE))
    await records.put_in(message("b1"))
    assert [item.id for item in await take(inbox, 1, (Kind.ASK,))] == ["b1"]
    assert [item.id for item in await take(inbox, 1)] == ["n1"]


async def test_what_is_settled_meanwhile_is_not_offered_and_forgotten(records, inbox):
    for n in range(3):
        await records.put_in(message(f"b{n}"))
    async with contextlib.aclosing(inbox.items()) as items:
        assert (await anext(items)).id == "b0"
        await records.settle("bob", "b0", "acked")
        await records.settle("bob", "b1", "acked")
        assert (await anext(items)).id == "b2"
        await records.put_in(message("b3"))
        assert (await anext(items)).id == "b3"
    assert {id_ for _, id_ in inbox._offered} == {"b2", "b3"}


async def test_a_question_past_its_time_is_settled_and_not_offered(records, inbox):
    await records.put_in(message("old", expires_ms=NOW_MS))
    await records.put_in(message("new", expires_ms=NOW_MS + 1))
    assert [item.id for item in await take(inbox, 1)] == ["new"]
    assert (await records.store.incoming("bob", "old")).settled == "expired"


async def test_an_answer_goes_to_the_outbox_with_all_that_belongs_to_it(records, inbox):
    trace = Trace("x", ("m",), 1)
    await records.put_in(message(thread="t", trace=trace))
    (question,) = await take(inbox, 1)
    receipt = await question.answer("Yes.", origin=Origin.MODEL)
    (sent,) = await records.store.unsent()
    assert (sent.id, sent.to, sent.kind, sent.text, sent.reply_to) == (receipt.id, "bob", Kind.ANSWER, "Yes.", "b1")
    assert (sent.thread, sent.trace, sent.origin) == ("t", trace, Origin.MODEL)
    assert receipt.how == "answered"


async def test_the_first_settlement_wins(records, inbox):
    await records.put_in(message())
    (question,) = await take(inbox, 1)
    assert (await question.decline("busy")).how == "declined"
    for again in (question.answer("Yes."), question.decline(), question.ack()):
        with pytest.raises(AlreadySettled):
            await again
    assert [(sent.kind, sent.text) for sent in await records.store.unsent()] == [(Kind.DECLINE, "busy")]


async def test_acknowledging_sends_nothing(records, inbox):
    await records.put_in(message(kind=Kind.NOTICE, text="parked"))
    (notice,) = await take(inbox, 1)
    receipt = await notice.ack()
    assert (receipt.how, receipt.id) == ("acked", "")
    assert await records.store.unsent() == []
    with pytest.raises(AlreadySettled):
        await notice.ack()


async def test_a_deferred_question_is_offered_again(records, inbox):
    await records.put_in(message())
    (question,) = await take(inbox, 1)
    assert (await question.defer(0.001)).how == "deferred"
    (again,) = await take(inbox, 1)
    assert (again.id, again.sender, again.nickname, str(again)) == ("b1", "bob", "Bob", "Tea?")


async def test_the_end_of_the_client_ends_reading(records, inbox):
    reading = asyncio.create_task(take(inbox, 1))
    await asyncio.sleep(0)
    records.bells.end(Displaced())
    with pytest.raises(Displaced):
        await reading
