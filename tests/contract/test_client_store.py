"""What ``magi.client.ports.Store`` promises, of every store that a client can have."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from magi.client.errors import AlreadySettled
from magi.client.memory import MemoryStore
from magi.client.model import Friend, Incoming, Kind, Origin, Outgoing, Tokens, Trace
from magi.client.ports import Store
from magi.client.states import State

NOW_MS = 1_800_000_000_000
LATER_MS = NOW_MS + 3_600_000
SQLITE = importlib.util.find_spec("magi.desk.store") is not None
KINDS = ["memory", *(["sqlite"] if SQLITE else [])]


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """One empty store."""
    if request.param == "memory":
        yield MemoryStore()
        return
    from magi.desk.store import SqliteStore

    tmp_path.chmod(0o700)
    opened = SqliteStore(tmp_path / "magi.db")
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


def outgoing(id_: str = "a1", **fields: Any) -> Outgoing:
    """Return an ask to bob, or what the fields make of it."""
    known = {"to": "bob", "kind": Kind.ASK, "text": "Tea?", "made_ms": NOW_MS, "expires_ms": LATER_MS}
    return Outgoing(id_, **{**known, **fields})


def incoming(id_: str = "b1", **fields: Any) -> Incoming:
    """Return an ask of bob, or what the fields make of it."""
    known = {"sender": "bob", "nickname": "Bob", "kind": Kind.ASK, "text": "Tea?", "received_ms": NOW_MS}
    return Incoming(id_, **{**known, **fields})


def answer_of(ask_id: str, id_: str = "b9", **fields: Any) -> Incoming:
    """Return bob's answer to an ask."""
    return incoming(id_, **{"kind": Kind.ANSWER, "text": "Yes.", "reply_to": ask_id, "matched": "id", **fields})


async def state(store: Store, id_: str) -> State | None:
    """Return how a message of ours stands."""
    message = await store.out(id_)
    return None if message is None else message.state


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_there_are_no_tokens_at_first(store: Store) -> None:
    assert await store.tokens() == Tokens()


async def test_a_new_token_makes_the_current_one_the_previous(store: Store) -> None:
    for token in ("one", "two", "three"):
        await store.keep_token(token)
    assert await store.tokens() == Tokens("three", "two")


async def test_a_token_that_is_kept_twice_changes_nothing(store: Store) -> None:
    for token in ("one", "two", "two"):
        await store.keep_token(token)
    assert await store.tokens() == Tokens("two", "one")


async def test_dropped_tokens_are_gone(store: Store) -> None:
    await store.keep_token("one")
    await store.drop_tokens()
    assert await store.tokens() == Tokens()


# --- out -------------------------------------------------------------------------------------------------------------


async def test_a_message_comes_out_of_the_outbox_as_it_went_in(store: Store) -> None:
    message = outgoing(
        thread="t", parent="p", origin=Origin.MODEL, trace=Trace("x", ("m1", "m2"), 3), text="Thé? 🍵\n\x00"
    )
    assert await store.put_out(message)
    assert await store.out("a1") == message
    assert await store.out("other") is None


async def test_an_id_stands_for_the_first_message(store: Store) -> None:
    await store.put_out(outgoing())
    assert not await store.put_out(outgoing(text="Coffee?"))
    kept = await store.out("a1")
    assert kept is not None
    assert kept.text == "Tea?"


async def test_unsent_are_the_pending_ones_oldest_first(store: Store) -> None:
    for id_ in ("c", "a", "b"):
        await store.put_out(outgoing(id_))
    await store.put_out(outgoing("held", state=State.HELD_HERE))
    await store.advance("a", State.QUEUED)
    assert [message.id for message in await store.unsent()] == ["c", "b"]


async def test_open_asks_are_those_without_a_final_state_oldest_first(store: Store) -> None:
    for id_, fields in {
        "c": {},
        "a": {"to": "carol"},
        "b": {},
        "note": {"kind": Kind.NOTE},
        "answer": {"kind": Kind.ANSWER},
        "done": {},
    }.items():
        await store.put_out(outgoing(id_, **fields))
    await store.advance("b", State.DELIVERED)
    await store.advance("done", State.EXPIRED)
    assert [ask.id for ask in await store.open_asks()] == ["c", "a", "b"]
    assert [ask.id for ask in await store.open_asks("bob")] == ["c", "b"]
    assert [ask.id for ask in await store.open_asks("nobody")] == []


async def test_states_go_forwards_only(store: Store) -> None:
    await store.put_out(outgoing())
    assert await store.advance("a1", State.DELIVERED)
    assert not await store.advance("a1", State.QUEUED)
    assert not await store.advance("a1", State.DELIVERED)
    assert await store.advance("a1", State.SEEN)
    assert await store.advance("a1", State.STALLED)
    assert await store.advance("a1", State.FAILED, "Friend is not connected")
    assert not await store.advance("a1", State.ANSWERED)
    kept = await store.out("a1")
    assert kept == outgoing(state=State.FAILED, detail="Friend is not connected")


async def test_a_message_that_is_not_known_goes_nowhere(store: Store) -> None:
    assert not await store.advance("a1", State.DELIVERED)
    assert await store.out("a1") is None


# --- settling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "how"), [(Kind.ANSWER, "answered"), (Kind.DECLINE, "declined")])
async def test_an_answer_of_ours_settles_its_question_in_the_same_step(store: Store, kind: Kind, how: str) -> None:
    await store.put_in(incoming())
    assert await store.put_out(outgoing("a1", kind=kind, reply_to="b1"))
    kept = await store.incoming("bob", "b1")
    assert kept is not None
    assert kept.settled == how
    assert await store.inbox() == []


async def test_a_state_of_ours_settles_nothing(store: Store) -> None:
    await store.put_in(incoming())
    await store.put_out(outgoing("a1", kind=Kind.STATE, text="arrived", reply_to="b1"))
    assert [item.id for item in await store.inbox()] == ["b1"]


async def test_the_second_settlement_is_refused_and_nothing_is_put(store: Store) -> None:
    await store.put_in(incoming())
    await store.put_out(outgoing("a1", kind=Kind.ANSWER, reply_to="b1"))
    with pytest.raises(AlreadySettled):
        await store.put_out(outgoing("a2", kind=Kind.DECLINE, reply_to="b1"))
    assert await store.out("a2") is None
    assert not await store.put_out(outgoing("a1", kind=Kind.ANSWER, reply_to="b1")), "a repeat is no second settlement"


async def test_of_two_answers_at_once_one_wins(store: Store) -> None:
    await store.put_in(incoming())
    answers = [outgoing(f"a{n}", kind=Kind.ANSWER, reply_to="b1") for n in range(5)]
    done = await asyncio.gather(*(store.put_out(answer) for answer in answers), return_exceptions=True)
    assert [one for one in done if one is True] == [True]
    assert sum(isinstance(one, AlreadySettled) for one in done) == 4
    assert len(await store.unsent()) == 1


async def test_an_answer_to_a_question_of_somebody_else_settles_nothing(store: Store) -> None:
    await store.put_in(incoming())
    assert await store.put_out(outgoing("a1", to="carol", kind=Kind.ANSWER, reply_to="b1"))
    assert [item.id for item in await store.inbox()] == ["b1"]


async def test_settling_works_once(store: Store) -> None:
    await store.put_in(incoming())
    assert await store.settle("bob", "b1", "acked")
    assert not await store.settle("bob", "b1", "answered")
    assert not await store.settle("bob", "b2", "acked")
    assert not await store.settle("carol", "b1", "acked")
    assert await store.incoming("bob", "b1") == incoming(settled="acked")
    assert await store.inbox() == []


# --- in --------------------------------------------------------------------------------------------------------------


async def test_a_message_comes_out_of_the_inbox_as_it_went_in(store: Store) -> None:
    message = incoming(
        expires_ms=LATER_MS,
        thread="t",
        parent="p",
        origin=Origin.AUTO,
        trace=Trace("x", ("m",), 1),
        offset="7-0",
        text="Thé?\x1b[0m",
    )
    assert await store.put_in(message)
    assert await store.incoming("bob", "b1") == message
    assert await store.inbox() == [message]


async def test_a_double_is_known_by_sender_and_id(store: Store) -> None:
    assert await store.put_in(incoming())
    assert not await store.put_in(incoming(text="Coffee?"))
    assert await store.put_in(incoming(sender="carol"))
    assert [(item.sender, item.text) for item in await store.inbox()] == [("bob", "Tea?"), ("carol", "Tea?")]


async def test_a_double_of_something_settled_stays_settled(store: Store) -> None:
    await store.put_in(incoming())
    await store.settle("bob", "b1", "acked")
    assert not await store.put_in(incoming())
    assert await store.inbox() == []


async def test_the_inbox_is_oldest_first_by_kind_and_limited(store: Store) -> None:
    for id_, kind in {"z": Kind.ASK, "y": Kind.NOTE, "x": Kind.ASK, "w": Kind.FOREIGN}.items():
        await store.put_in(incoming(id_, kind=kind))
    assert [item.id for item in await store.inbox()] == ["z", "y", "x", "w"]
    assert [item.id for item in await store.inbox((Kind.ASK,))] == ["z", "x"]
    assert [item.id for item in await store.inbox((Kind.NOTE, Kind.FOREIGN))] == ["y", "w"]
    assert [item.id for item in await store.inbox(limit=2)] == ["z", "y"]


async def test_what_comes_settled_is_kept_but_not_in_the_inbox(store: Store) -> None:
    await store.put_in(incoming(settled="acked"))
    assert await store.inbox() == []
    assert await store.incoming("bob", "b1") is not None


@pytest.mark.parametrize(
    ("kind", "matched", "after"),
    [(Kind.ANSWER, "id", State.ANSWERED), (Kind.ANSWER, "order", State.ANSWERED), (Kind.DECLINE, "id", State.DECLINED)],
)
async def test_an_answer_ends_its_ask_in_the_same_step(store: Store, kind: Kind, matched: str, after: State) -> None:
    await store.put_out(outgoing())
    answer = answer_of("a1", kind=kind, matched=matched)
    await store.put_in(answer)
    assert await state(store, "a1") is after
    assert await store.answer_to("a1") == answer
    assert await store.open_asks() == []
    assert await store.unsent() == []


async def test_the_first_answer_is_the_answer_and_a_late_one_is_in_the_inbox(store: Store) -> None:
    await store.put_out(outgoing())
    await store.put_in(answer_of("a1"))
    await store.put_in(answer_of("a1", "b10", text="No.", kind=Kind.DECLINE))
    assert await state(store, "a1") is State.ANSWERED
    answer = await store.answer_to("a1")
    assert answer is not None
    assert answer.text == "Yes."
    assert [item.id for item in await store.inbox()] == ["b9", "b10"]


async def test_an_answer_to_an_ask_that_has_ended_is_only_kept(store: Store) -> None:
    await store.put_out(outgoing())
    await store.advance("a1", State.EXPIRED)
    await store.put_in(answer_of("a1"))
    assert await state(store, "a1") is State.EXPIRED
    assert await store.answer_to("a1") is None
    assert [item.id for item in await store.inbox()] == ["b9"]


async def test_an_answer_that_belongs_to_nothing_is_kept(store: Store) -> None:
    await store.put_in(answer_of("", matched=""))
    await store.put_in(answer_of("unknown", "b10", matched=""))
    assert [item.id for item in await store.inbox()] == ["b9", "b10"]
    assert await store.answer_to("") is None


async def test_the_answer_of_an_ask_shows_how_it_is_settled(store: Store) -> None:
    await store.put_out(outgoing())
    await store.put_in(answer_of("a1"))
    await store.settle("bob", "b9", "acked")
    assert await store.answer_to("a1") == answer_of("a1", settled="acked")


async def test_a_state_moves_its_ask(store: Store) -> None:
    await store.put_out(outgoing())
    await store.put_in(answer_of("a1", "s1", kind=Kind.STATE, text="seen", settled="acked"))
    await store.put_in(answer_of("a1", "s2", kind=Kind.STATE, text="arrived", settled="acked"))
    assert await state(store, "a1") is State.SEEN
    assert await store.answer_to("a1") is None
    assert await store.inbox() == []


async def test_a_state_that_nobody_knows_moves_nothing(store: Store) -> None:
    await store.put_out(outgoing())
    assert await store.put_in(answer_of("a1", "s1", kind=Kind.STATE, text="dancing", settled="acked"))
    assert await state(store, "a1") is State.PENDING


@pytest.mark.parametrize(("word", "after"), [("expired", State.EXPIRED), ("parked", State.FAILED)])
async def test_a_notice_ends_its_message(store: Store, word: str, after: State) -> None:
    await store.put_out(outgoing())
    await store.put_in(answer_of("a1", f"{word}-a1", kind=Kind.NOTICE, text=word, matched=""))
    assert await state(store, "a1") is after
    assert [item.text for item in await store.inbox((Kind.NOTICE,))] == [word]


@pytest.mark.parametrize("kind", [Kind.ASK, Kind.NOTE, Kind.FOREIGN])
async def test_other_messages_move_nothing(store: Store, kind: Kind) -> None:
    await store.put_out(outgoing())
    await store.put_in(answer_of("a1", kind=kind))
    assert await state(store, "a1") is State.PENDING


# --- friends ---------------------------------------------------------------------------------------------------------

BOB = Friend("bob", "Bob", "k1", True, frozenset({"ids", "objects"}), "working", ("python",))
CAROL = Friend("carol", "Carol")


async def test_friends_are_kept_as_they_are_oldest_first(store: Store) -> None:
    await store.keep_friend(BOB)
    await store.keep_friend(CAROL)
    assert list(await store.friends()) == [BOB, CAROL]


async def test_a_friend_is_replaced_in_its_place(store: Store) -> None:
    await store.keep_friend(BOB)
    await store.keep_friend(CAROL)
    await store.keep_friend(replace(BOB, online=False))
    assert list(await store.friends()) == [replace(BOB, online=False), CAROL]


async def test_a_list_replaces_all_friends(store: Store) -> None:
    await store.keep_friend(BOB)
    await store.keep_friends([CAROL, replace(BOB, nickname="Bobby")])
    assert list(await store.friends()) == [CAROL, replace(BOB, nickname="Bobby")]
    await store.keep_friends([])
    assert list(await store.friends()) == []


async def test_the_messages_of_a_dropped_friend_stay(store: Store) -> None:
    await store.keep_friend(BOB)
    await store.put_in(incoming())
    await store.drop_friend("bob")
    await store.drop_friend("nobody")
    assert list(await store.friends()) == []
    assert [item.id for item in await store.inbox()] == ["b1"]


async def test_only_a_store_on_disk_says_that_it_is_durable(store: Store) -> None:
    assert store.durable is not isinstance(store, MemoryStore)
