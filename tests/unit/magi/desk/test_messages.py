"""Messages as work for one transaction: what the contract of a store does not say, since only a desk needs it."""

import sqlite3

import pytest

from magi.client.errors import AlreadySettled
from magi.client.model import Kind
from magi.client.states import State
from magi.desk import audit, claims, messages, record, schema
from tests.harness.desks import HOUR_MS, NOW_MS, our_answer, ours, theirs


@pytest.fixture
def connection():
    opened = sqlite3.connect(":memory:", isolation_level=None)
    schema.bring_up(opened)
    yield opened
    opened.close()


def left(connection):
    return audit._left(connection, "", 0, 100)


def texts(connection):
    return [text for (text,) in connection.execute("SELECT text FROM incoming ORDER BY place")]


# --- out -------------------------------------------------------------------------------------------------------------


def test_what_is_put_out_is_in_the_audit_in_the_same_step(connection):
    audit.permit(connection, "a1", "owner", "review", NOW_MS)
    messages.put_out(connection, ours(), NOW_MS + 5)
    (row,) = left(connection)
    assert (row.id, row.at_ms, row.to, row.kind, row.text) == ("a1", NOW_MS + 5, "bob", Kind.ASK, "Tea?")
    assert (row.by, row.how, row.state) == ("owner", "review", State.PENDING)


def test_what_was_put_before_is_no_second_row(connection):
    assert messages.put_out(connection, ours(), NOW_MS)
    assert not messages.put_out(connection, ours(text="Coffee?"), NOW_MS + 5)
    assert [(row.text, row.at_ms) for row in left(connection)] == [("Tea?", NOW_MS)]


def test_what_is_held_here_has_not_left(connection):
    assert messages.put_out(connection, ours(state=State.HELD_HERE), NOW_MS)
    assert left(connection) == []
    assert messages.unsent(connection) == []
    messages.advance(connection, "a1", State.PENDING, "", NOW_MS + 5)
    assert [(row.id, row.at_ms) for row in left(connection)] == [("a1", NOW_MS + 5)]


def test_what_is_withdrawn_from_here_has_never_left(connection):
    messages.put_out(connection, ours(state=State.HELD_HERE), NOW_MS)
    messages.advance(connection, "a1", State.WITHDRAWN, "", NOW_MS)
    assert left(connection) == []


def test_a_held_answer_settles_its_question_only_when_it_leaves(connection):
    messages.put_in(connection, theirs())
    messages.hold(connection, our_answer(state=State.HELD_HERE), "mode")
    assert messages.incoming(connection, "bob", "b1").settled == ""
    messages.advance(connection, "a9", State.PENDING, "", NOW_MS)
    assert messages.incoming(connection, "bob", "b1").settled == "answered"


def test_an_answer_withdraws_the_draft_that_waits(connection):
    messages.put_in(connection, theirs())
    messages.hold(connection, our_answer(state=State.HELD_HERE), "mode")
    messages.put_out(connection, our_answer("a10", text="No."), NOW_MS)
    assert messages.out(connection, "a9").state is State.WITHDRAWN
    assert [row.id for row in left(connection)] == ["a10"]


def test_a_question_has_one_draft_at_most(connection):
    messages.put_in(connection, theirs())
    messages.hold(connection, our_answer(state=State.HELD_HERE), "mode")
    with pytest.raises(AlreadySettled):
        messages.hold(connection, our_answer("a10", state=State.HELD_HERE), "mode")
    assert not messages.hold(connection, our_answer(state=State.HELD_HERE), "mode")


def test_a_settled_question_has_no_draft(connection):
    messages.put_in(connection, theirs())
    messages.settle(connection, "bob", "b1", "acked")
    with pytest.raises(AlreadySettled):
        messages.hold(connection, our_answer(state=State.HELD_HERE), "mode")


def test_an_answer_to_what_this_store_never_had_is_put(connection):
    assert messages.put_out(connection, our_answer(to="long gone"), NOW_MS)


def test_a_question_that_is_declined_because_the_store_is_full_takes_no_room(connection):
    messages.put_in(connection, theirs("b1"))
    messages.put_in(connection, theirs("b2"))
    messages.put_out(connection, our_answer("a1", "b1", kind=Kind.DECLINE, text="full"), NOW_MS)
    messages.put_out(connection, our_answer("a2", "b2", kind=Kind.DECLINE, text="no time"), NOW_MS)
    assert texts(connection) == ["", "Milk?"]


# --- in --------------------------------------------------------------------------------------------------------------


def block(connection, username="bob"):
    connection.execute("INSERT INTO people (username, blocked) VALUES (?, 1)", (username,))


def test_what_comes_of_a_blocked_user_is_seen_and_nothing_else(connection):
    block(connection)
    messages.put_out(connection, ours(), NOW_MS)
    assert messages.put_in(connection, theirs())
    assert not messages.put_in(connection, theirs())
    messages.put_in(connection, theirs("b2", kind=Kind.ANSWER, reply_to="a1"))
    assert messages.inbox(connection, (), 10) == []
    assert texts(connection) == ["", ""]
    assert messages.out(connection, "a1").state is State.PENDING


def test_what_the_exchange_says_is_heard_whoever_it_is_about(connection):
    block(connection)
    messages.put_out(connection, ours(), NOW_MS)
    messages.put_in(connection, theirs("n1", kind=Kind.NOTICE, text="expired", reply_to="a1"))
    assert messages.out(connection, "a1").state is State.EXPIRED


def test_settling_ends_claims_and_drafts(connection):
    messages.put_in(connection, theirs())
    claims._claim(connection, [theirs()], "s1", NOW_MS + HOUR_MS, NOW_MS)
    messages.put_out(connection, our_answer(state=State.HELD_HERE), NOW_MS)
    assert messages.settle(connection, "bob", "b1", "acked")
    assert connection.execute("SELECT count(*) FROM leases").fetchone() == (0,)
    assert messages.out(connection, "a9").state is State.WITHDRAWN


def test_forgetting_settles_what_is_open_of_one_user_and_keeps_no_word(connection):
    for message in (theirs("b1"), theirs("b2", sender="carol"), theirs("b3", kind=Kind.NOTICE, text="gap")):
        messages.put_in(connection, message)
    messages.forget(connection, "bob")
    assert [one.id for one in messages.inbox(connection, (), 10)] == ["b2", "b3"]
    assert texts(connection) == ["", "Milk?", "gap"]


# --- how it is found -------------------------------------------------------------------------------------------------


def test_nothing_that_happens_with_every_message_looks_through_all_of_them(connection):
    said = []
    connection.set_trace_callback(said.append)
    messages.put_in(connection, theirs())
    messages.hold(connection, our_answer("a8", state=State.HELD_HERE), "mode")
    messages.put_out(connection, our_answer(), NOW_MS)
    messages.put_out(connection, ours(), NOW_MS)
    messages.put_in(connection, theirs("b2", kind=Kind.ANSWER, reply_to="a1"))
    messages.answer_to(connection, "a1")
    messages.unsent(connection)
    messages.open_asks(connection, "bob")
    messages.inbox(connection, (), 10)
    claims._offered(connection, "s1", (), 10, NOW_MS)
    claims._claim(connection, [theirs("b2")], "s1", NOW_MS + HOUR_MS, NOW_MS)
    claims._expire(connection, NOW_MS)
    audit._count(connection, "bob", Kind.ANSWER, "", 0)
    record._open_bytes(connection)
    record._open_count(connection, "bob")
    record._waiting(connection, "s1", NOW_MS)
    connection.set_trace_callback(None)
    assert len(said) > 20
    for statement in said:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
        assert not scans, f"{statement}: {scans}"
