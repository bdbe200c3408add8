import pytest

from magi.client.model import Trace
from magi.daemon.port import Caller, DeskError
from magi.wire.magi1_requests import Ask
from tests.harness.desks import DAY_MS
from tests.harness.offices import MODEL, OWNER

USUAL = {"thread": "", "wants_answer": True, "expires_seconds": 86_400.0, "parent": "", "id_": ""}


async def ask(bureau, text="Which Redis?", who="bob", caller=OWNER, **options):
    return await bureau.asking.ask(who, text, caller=caller, **{**USUAL, **options})


async def kept(bureau, view):
    return await bureau.store.out(view.id)


async def test_what_leaves_is_in_the_audit_with_who_allowed_it(bureau):
    """CLI-36."""
    await ask(bureau, "One?")
    await ask(bureau, "Two?", caller=MODEL)
    assert [(row.text, row.by, row.how) for row in await bureau.store.audit.left()] == [
        ("One?", "owner", "typed"),
        ("Two?", "mode", "ask"),
    ]


@pytest.mark.parametrize(("wanted", "given_ms"), [(0.0, 1_000), (86_400.0, DAY_MS), (1e9, 7 * DAY_MS)])
async def test_an_ask_lives_between_a_moment_and_a_week(bureau, wanted, given_ms):
    view = await ask(bureau, expires_seconds=wanted)
    assert view.expires_ms - view.made_ms == given_ms


async def test_a_person_begins_a_trace_and_an_assistants_ask_is_a_turn(bureau):
    """CLI-39."""
    typed, own = await ask(bureau, "One?"), await ask(bureau, "Two?", caller=MODEL)
    traces = [(await kept(bureau, view)).trace for view in (typed, own)]
    assert [trace.turn for trace in traces] == [0, 1]
    assert traces[0].id != traces[1].id


async def test_an_ask_comes_of_the_question_that_the_assistant_has_before_it(bureau):
    source = await bureau.asked(trace=Trace("t1", ("theirs",), 2), thread="th")
    await bureau.store.claims.claim([source], "s1", bureau.clock() + 60_000)
    message = await kept(bureau, await ask(bureau, caller=MODEL, who="carol"))
    assert (message.parent, message.trace.id, message.trace.turn) == ("q1", "t1", 3)
    assert len(message.trace.marks) == 2
    other = await kept(bureau, await ask(bureau, "Other?", caller=Caller("mcp", "model", "s2"), who="carol"))
    assert (other.parent, other.trace.turn) == ("", 1)


async def test_an_ask_with_a_parent_goes_on_in_its_thread(bureau):
    await bureau.asked("q77", trace=Trace("t1", ("theirs",), 1), thread="th")
    message = await kept(bureau, await ask(bureau, parent="q7", caller=MODEL, who="carol"))
    assert (message.parent, message.thread, message.trace.turn) == ("q77", "th", 2)


async def test_machines_stop_after_eight_turns_until_a_person_acts(bureau):
    await bureau.asked(trace=Trace("t1", ("theirs",), 8))
    with pytest.raises(DeskError, match="8 turns") as caught:
        await ask(bureau, parent="q1", caller=MODEL, who="carol")
    assert caught.value.exit_status == 7
    assert (await ask(bureau, parent="q1", caller=OWNER, who="carol")).state == "pending"


async def test_a_model_cannot_ask_a_muted_friend(bureau):
    await bureau.people.mode("bob", "mute")
    with pytest.raises(DeskError, match="muted"):
        await ask(bureau, caller=MODEL)
    await ask(bureau, caller=OWNER)
    assert len(await bureau.exchange.has_sent(1, Ask)) == 1


async def test_a_held_ask_can_be_withdrawn_and_is_never_sent(bureau):
    view = await ask(bureau, "PASSWORD=hunter2secret99", caller=MODEL)
    assert (view.state, bool(view.detail)) == ("held_here", True)
    assert (await bureau.asking.withdraw(view.id)).state == "withdrawn"
    assert not await bureau.store.drafts.held()
    assert bureau.exchange.sent(Ask) == []
