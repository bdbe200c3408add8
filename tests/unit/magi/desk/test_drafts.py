"""What waits for the owner (CLI-33)."""

import pytest

from magi.client.errors import AlreadySettled
from magi.client.states import State
from tests.harness.desks import NOW_MS, our_answer, ours, theirs


async def test_a_draft_waits_and_says_why_and_for_which_question(store):
    await store.put_in(theirs())
    assert await store.drafts.hold(our_answer(), "mode")
    assert await store.drafts.hold(ours("a2"), "scan")
    answer, ask = await store.drafts.held()
    assert (answer.message.id, answer.reason, answer.question.id) == ("a9", "mode", "b1")
    assert (ask.message.id, ask.reason, ask.question) == ("a2", "scan", None)
    assert answer.message.state is State.HELD_HERE
    assert await store.unsent() == []


async def test_an_id_is_held_once(store):
    assert await store.drafts.hold(ours(), "scan")
    assert not await store.drafts.hold(ours(), "mode")
    assert [draft.reason for draft in await store.drafts.held()] == ["scan"]


async def test_a_released_draft_is_in_the_outbox_and_the_audit_and_its_question_is_settled(store, clock):
    await store.put_in(theirs())
    await store.drafts.hold(our_answer(), "mode")
    clock.ms += 5
    released = await store.drafts.release("a9", by="owner", how="this answer")
    assert (released.text, released.state) == ("Yes.", State.PENDING)
    assert await store.unsent() == [released]
    assert (await store.incoming("bob", "b1")).settled == "answered"
    (row,) = await store.audit.left()
    assert (row.id, row.at_ms, row.text, row.by, row.how) == ("a9", NOW_MS + 5, "Yes.", "owner", "this answer")
    assert await store.drafts.held() == []


async def test_the_owner_may_send_other_words_and_the_audit_has_those(store):
    await store.drafts.hold(ours(), "scan")
    released = await store.drafts.release("a1", text="Coffee?", by="owner", how="edited")
    assert released.text == (await store.out("a1")).text == "Coffee?"
    assert [row.text for row in await store.audit.left()] == ["Coffee?"]


async def test_a_draft_is_released_or_dropped_once(store):
    await store.drafts.hold(ours(), "scan")
    assert await store.drafts.release("a1", by="owner", how="")
    assert await store.drafts.release("a1", by="owner", how="") is None
    assert await store.drafts.drop("a1") is None
    assert await store.drafts.drop("never") is None
    assert len(await store.audit.left()) == 1


async def test_a_dropped_draft_never_leaves_and_its_question_is_open(store):
    await store.put_in(theirs())
    await store.drafts.hold(our_answer(), "mode")
    assert (await store.drafts.drop("a9")).state is State.WITHDRAWN
    assert await store.drafts.release("a9", by="owner", how="") is None
    assert await store.audit.left() == []
    assert [one.id for one in await store.inbox()] == ["b1"]
    assert await store.drafts.hold(our_answer("a10"), "mode")


async def test_a_draft_ends_when_its_question_is_settled_in_another_way(store):
    await store.put_in(theirs())
    await store.drafts.hold(our_answer(), "mode")
    await store.put_out(our_answer("a10", text="I say it myself."))
    assert await store.drafts.held() == []
    assert await store.drafts.release("a9", by="owner", how="") is None
    assert [one.id for one in await store.unsent()] == ["a10"]


async def test_a_settled_question_takes_no_draft(store):
    await store.put_in(theirs())
    await store.put_out(our_answer())
    with pytest.raises(AlreadySettled):
        await store.drafts.hold(our_answer("a10"), "mode")
    assert await store.out("a10") is None


async def test_drafts_outlive_the_process(store):
    await store.put_in(theirs())
    await store.drafts.hold(our_answer(), "mode")
    await store.close()
    await store.open()
    (draft,) = await store.drafts.held()
    assert (draft.message.text, draft.reason, draft.question.text) == ("Yes.", "mode", "Milk?")
