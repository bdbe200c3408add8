from magi.client.model import Kind
from magi.client.states import State
from magi.wire.magi1_requests import Answer


async def test_a_state_is_told_once_until_it_changes(bureau):
    question = await bureau.asked()
    for state in (State.SEEN, State.SEEN, State.HELD, State.SEEN):
        await bureau.reports.tell(question, state)
    await bureau.told("seen", 2)
    await bureau.told("held", 1)


async def test_a_muted_friend_and_the_sender_of_a_note_hear_nothing(bureau):
    await bureau.reports.tell(await bureau.asked("q1", kind=Kind.NOTE), State.SEEN)
    await bureau.people.mode("bob", "mute")
    await bureau.reports.tell(await bureau.asked("q2"), State.SEEN)
    await bureau.reports.tell(await bureau.asked("q3", sender="carol"), State.SEEN)
    await bureau.told("seen", 1)
    assert [frame.to for frame in bureau.exchange.sent(Answer)] == ["carol"]


async def test_what_was_forgotten_may_be_told_again(bureau):
    question = await bureau.asked()
    await bureau.reports.tell(question, State.SEEN)
    bureau.reports.forget(question)
    await bureau.reports.tell(question, State.SEEN)
    await bureau.told("seen", 2)
