"""Twin of ``magi/client/asks.py``."""

import asyncio

import pytest

from magi.client.asks import Ask
from magi.client.errors import Declined, Displaced, Expired, FriendAway, StillOpen
from magi.client.memory import MemoryStore
from magi.client.model import Incoming, Kind, Outgoing
from magi.client.records import Records
from magi.client.states import State
from tests.harness.waiting import WAIT_SECONDS, eventually

MESSAGE = Outgoing("a1", "bob", Kind.ASK, "Tea?", 0, 1)


@pytest.fixture
async def records():
    records = Records(MemoryStore())
    await records.put_out(MESSAGE)
    return records


@pytest.fixture
def ask(records):
    return Ask(MESSAGE, records)


def answer(kind=Kind.ANSWER, id_="b1", **fields):
    return Incoming(id_, "bob", "Bob", kind, "Yes.", 0, reply_to="a1", matched="id", **fields)


async def test_an_answer_that_is_there_already_comes_at_once_and_leaves_the_inbox(records, ask):
    await records.put_in(answer())
    got = await ask.answer(wait_seconds=0.01)
    assert (got.text, str(got), got.sender, got.id, got.reply_to, got.matched) == (
        "Yes.",
        "Yes.",
        "bob",
        "b1",
        "a1",
        "id",
    )
    assert not got.declined
    assert ask.state is State.ANSWERED
    assert await records.store.inbox() == []
    await got.ack()
    assert (await ask).id == "b1", "it may be fetched again"


async def test_an_answer_is_waited_for(records, ask):
    waiting = asyncio.create_task(ask.answer(wait_seconds=WAIT_SECONDS))
    await asyncio.sleep(0)
    await records.put_in(answer())
    assert (await waiting).text == "Yes."


async def test_no_answer_in_time_says_how_it_stands_and_changes_nothing(records, ask):
    await records.advance("a1", State.QUEUED)
    with pytest.raises(StillOpen) as caught:
        await ask.answer(wait_seconds=0.01)
    assert (caught.value.ask_id, caught.value.state) == ("a1", "queued")
    assert (await records.store.out("a1")).state is State.QUEUED


async def test_a_cancelled_wait_leaves_the_ask_open(records, ask):
    waiting = asyncio.create_task(ask.answer())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert [one.id for one in await records.store.open_asks()] == ["a1"]


async def test_a_decline_raises_its_reason_and_leaves_the_inbox(records, ask):
    await records.put_in(answer(Kind.DECLINE))
    with pytest.raises(Declined, match=r"Yes\."):
        await ask
    assert await records.store.inbox() == []


@pytest.mark.parametrize(
    ("state", "detail", "error"),
    [
        (State.EXPIRED, "", Expired),
        (State.WITHDRAWN, "", Expired),
        (State.FAILED, "Bob is not connected", FriendAway),
    ],
)
async def test_other_ends_raise_what_they_are(records, ask, state, detail, error):
    await records.advance("a1", state, detail)
    with pytest.raises(error, match=detail or None):
        await ask.answer(wait_seconds=0.01)
    assert ask.detail == detail


async def test_states_are_told_as_they_come_up_to_the_final_one(records, ask):
    seen: list[State] = []

    async def listen():
        async for state in ask.states():
            seen.append(state)  # noqa: PERF401  # while it goes on

    listening = asyncio.create_task(listen())
    await eventually(lambda: seen == [State.PENDING])
    for state in (State.QUEUED, State.SEEN, State.STALLED, State.ANSWERED):
        await records.advance("a1", state)
        await eventually(lambda state=state: state in seen)
    await listening
    assert seen[1:] == [State.QUEUED, State.SEEN, State.STALLED, State.ANSWERED]


async def test_withdrawing_ends_it_unless_it_has_ended(records, ask):
    assert await ask.withdraw() is State.WITHDRAWN
    await records.put_out(Outgoing("a2", "bob", Kind.ASK, "Tea?", 0, 1, state=State.ANSWERED))
    assert await Ask(await records.store.out("a2"), records).withdraw() is State.ANSWERED


async def test_the_end_of_the_client_is_raised_by_who_waits_but_answers_that_came_are_given(records, ask):
    waiting = asyncio.create_task(ask.answer())
    await asyncio.sleep(0)
    records.bells.end(Displaced())
    with pytest.raises(Displaced):
        await waiting
    await records.store.put_in(answer())
    assert (await ask.answer()).text == "Yes."
