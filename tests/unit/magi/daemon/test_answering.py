from datetime import UTC, datetime, timedelta

import pytest

from magi.client.errors import AlreadySettled
from magi.client.model import Kind, Origin
from magi.daemon.answering import Answering, Reply
from magi.daemon.port import DeskError
from magi.wire.magi1_requests import Answer

BY_MODEL = Reply(Kind.ANSWER, "8.4", Origin.MODEL)
TYPED = Reply(Kind.ANSWER, "8.4", Origin.HUMAN)


async def test_what_leaves_is_in_the_audit_with_who_allowed_it(bureau):
    """CLI-36."""
    await bureau.answering.reply(await bureau.asked("q1"), TYPED)
    draft = await bureau.answering.reply(await bureau.asked("q2"), BY_MODEL)
    await bureau.answering.review(draft.id, approve=True, text="", override=False, scope="once")
    await bureau.people.mode("bob", "auto")
    await bureau.answering.reply(await bureau.asked("q3"), BY_MODEL)
    await bureau.answering.refuse(await bureau.asked("q4"), "full", rule="full")
    rows = [row for row in await bureau.store.audit.left() if row.kind is not Kind.STATE]
    assert [(row.by, row.how) for row in rows] == [
        ("owner", "typed"),
        ("owner", "review"),
        ("mode", "auto"),
        ("rule", "full"),
    ]


async def test_a_second_draft_to_one_question_is_refused(bureau):
    question = await bureau.asked()
    await bureau.answering.reply(question, BY_MODEL)
    with pytest.raises(AlreadySettled):
        await bureau.answering.reply(question, BY_MODEL)


async def test_an_answer_that_comes_too_late_is_told_so_and_a_rule_that_does_is_not(bureau):
    question = await bureau.asked()
    await bureau.answering.reply(question, TYPED)
    with pytest.raises(AlreadySettled):
        await bureau.answering.reply(question, TYPED)
    await bureau.answering.refuse(question, "full", rule="full")
    assert len(await bureau.exchange.has_sent(1, Answer)) == 1


async def test_only_questions_and_notes_are_answered(bureau):
    with pytest.raises(DeskError, match="no question"):
        await bureau.answering.reply(await bureau.asked(kind=Kind.ANSWER), TYPED)
    await bureau.answering.reply(await bureau.asked("q2", kind=Kind.NOTE), TYPED)


async def test_an_approval_until_midnight_ends_there(bureau):
    evening = datetime.now(UTC).replace(hour=23, minute=0) + timedelta(days=1)
    answering = Answering(bureau.premises, bureau.people, bureau.reports, now=lambda: evening)
    draft = await answering.reply(await bureau.asked("q1"), BY_MODEL)
    await answering.review(draft.id, approve=True, text="", override=False, scope="today")
    assert (await answering.reply(await bureau.asked("q2"), BY_MODEL)).state != "held_here"
    bureau.clock.ahead_ms += 49 * 3_600_000
    assert (await answering.reply(await bureau.asked("q3"), BY_MODEL)).state == "held_here"


async def test_an_approval_of_a_thread_counts_there_only(bureau):
    draft = await bureau.answering.reply(await bureau.asked("q1", thread="t"), BY_MODEL)
    await bureau.answering.review(draft.id, approve=True, text="", override=False, scope="thread")
    assert (await bureau.answering.reply(await bureau.asked("q2", thread="t"), BY_MODEL)).state != "held_here"
    assert (await bureau.answering.reply(await bureau.asked("q3", thread="u"), BY_MODEL)).state == "held_here"


async def test_an_unknown_draft_or_scope_is_an_error(bureau):
    draft = await bureau.answering.reply(await bureau.asked(), BY_MODEL)
    for id_, scope in (("", "once"), ("none", "once"), (draft.id, "sometimes")):
        with pytest.raises(DeskError):
            await bureau.answering.review(id_, approve=True, text="", override=False, scope=scope)
    assert len(await bureau.answering.held()) == 1


async def test_an_edit_is_scanned_too(bureau):
    draft = await bureau.answering.reply(await bureau.asked(), BY_MODEL)
    with pytest.raises(DeskError, match="must not leave unseen"):
        await bureau.answering.review(
            draft.id, approve=True, text="PASSWORD=hunter2secret99", override=False, scope="once"
        )
    assert len(await bureau.answering.held()) == 1


async def test_the_friend_hears_that_its_question_is_held(bureau):
    await bureau.answering.reply(await bureau.asked(), BY_MODEL)
    await bureau.told("held")
