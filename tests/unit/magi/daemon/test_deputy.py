import asyncio

import pytest

from magi.daemon import deputy as deputy_module
from magi.daemon.deputy import SESSION, Deputy
from magi.daemon.responder import Outcome, Verdict
from magi.desk.limits import RESPONDER_A_DAY_PER_FRIEND
from magi.desk.ports import LEASE_MS
from tests.harness.waiting import eventually

ANSWER = Outcome(Verdict.ANSWER, "8.4")
FAILED = Outcome(Verdict.FAILED, "exit status 1")


class PlayedResponder:
    """Comes to what a test says, one run after the other; holds while ``gate`` is closed."""

    def __init__(self):
        self.outcomes = []
        self.errands = []
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, command, errand, *, friend):
        self.errands.append(errand)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.outcomes.pop(0) if self.outcomes else ANSWER


@pytest.fixture
async def scene(bureau):
    made = Scene(bureau)
    yield made
    await made.deputy.close()


class Scene:
    def __init__(self, bureau):
        self.bureau = bureau
        self.responder = PlayedResponder()
        self.assisted = False
        self.deputy = Deputy(
            bureau.premises,
            bureau.people,
            bureau.answering,
            bureau.reports,
            self.responder,
            assisted=lambda: self.assisted,
        )
        bureau.respond("respond")

    async def settled(self):
        """Look until every run has ended and none is to begin."""

        async def quiet():
            quiet = not self.deputy._running
            await self.deputy.look()
            return quiet and not self.deputy._running

        await eventually(quiet)

    async def how(self, id_="q1", sender="bob"):
        return (await self.bureau.store.incoming(sender, id_)).settled


async def test_it_answers_for_a_friend_in_mode_auto(scene):
    await scene.bureau.people.mode("bob", "auto")
    await scene.bureau.asked(thread="t")
    await scene.settled()
    assert await scene.how() == "answered"
    (errand,) = scene.responder.errands
    assert (errand.id, errand.question, errand.petname, errand.thread) == ("q1", "Which Redis?", "bob", "t")
    (row,) = [row for row in await scene.bureau.store.audit.left() if row.kind == "answer"]
    assert (row.by, row.origin) == ("responder", "auto")


async def test_it_drafts_for_a_friend_in_mode_ask(scene):
    await scene.bureau.asked()
    await scene.settled()
    (held,) = await scene.bureau.answering.held()
    assert (held.draft, held.reason) == ("8.4", "mode")


async def test_it_declines_with_its_reason(scene):
    await scene.bureau.people.mode("bob", "auto")
    scene.responder.outcomes = [Outcome(Verdict.DECLINE, "not my field")]
    await scene.bureau.asked()
    await scene.settled()
    assert await scene.how() == "declined"


async def test_a_muted_friend_and_one_without_a_command_get_no_run(scene):
    await scene.bureau.people.mode("bob", "mute")
    await scene.bureau.asked()
    scene.bureau.respond()
    await scene.bureau.asked("q2", sender="carol")
    await scene.settled()
    assert scene.responder.errands == []
    assert not scene.deputy.set
    await scene.bureau.told("stalled")


async def test_what_fails_is_tried_once_more_then_the_owner_is_asked(scene):
    scene.responder.outcomes = [FAILED, FAILED]
    await scene.bureau.asked()
    await scene.settled()
    assert len(scene.responder.errands) == 2
    assert await scene.how() == ""
    await scene.bureau.told("stalled")


async def test_what_a_run_leaves_to_the_owner_is_not_tried_again(scene):
    scene.responder.outcomes = [Outcome(Verdict.OWNER)]
    await scene.bureau.asked()
    await scene.settled()
    assert len(scene.responder.errands) == 1
    assert [offer.message.id for offer in await scene.bureau.store.claims.offered("s1")] == ["q1"]


async def test_a_run_that_was_killed_with_the_process_counts_as_a_try(scene):
    """CLI-25."""
    question = await scene.bureau.asked()
    for _ in range(2):
        await scene.bureau.store.claims.claim([question], SESSION, scene.bureau.clock() + LEASE_MS)
        await scene.deputy.open()
    await scene.settled()
    assert scene.responder.errands == []


async def test_assistants_that_are_here_come_first_for_a_minute(scene):
    """CLI-27."""
    scene.assisted = True
    await scene.bureau.asked()
    await scene.settled()
    assert scene.responder.errands == []
    assert 0 < scene.deputy.sooner(None) <= deputy_module.ASSISTANTS_SECONDS
    assert scene.deputy.sooner(5.0) == 5.0
    scene.bureau.clock.ahead_ms += 61_000
    await scene.settled()
    assert len(scene.responder.errands) == 1


async def test_what_an_assistant_let_go_is_the_responders_at_once(scene):
    scene.assisted = True
    question = await scene.bureau.asked()
    await scene.bureau.store.claims.claim([question], "s1", scene.bureau.clock() + 1_000)
    await scene.settled()
    assert scene.responder.errands == [], "it has it still"
    scene.bureau.clock.ahead_ms += 1_000
    await scene.settled()
    assert len(scene.responder.errands) == 1


async def test_two_run_at_once_and_one_for_a_friend(scene):
    scene.responder.gate.clear()
    for number, sender in enumerate(("bob", "bob", "carol", "dave")):
        await scene.bureau.asked(f"q{number}", sender=sender)
    await scene.deputy.look()
    await eventually(lambda: len(scene.responder.errands) == 2)
    await scene.deputy.look()
    assert [errand.id for errand in scene.responder.errands] == ["q0", "q2"]
    scene.responder.gate.set()
    await scene.settled()
    assert sorted(errand.id for errand in scene.responder.errands) == ["q0", "q1", "q2", "q3"]


async def test_no_friend_gets_more_than_fifty_answers_a_day(scene, monkeypatch):
    async def count(to, kind, *, by="", since_ms=0):
        return RESPONDER_A_DAY_PER_FRIEND if (to, kind) == ("bob", "answer") else 0

    monkeypatch.setattr(scene.bureau.store.audit, "count", count)
    await scene.bureau.asked("q1")
    await scene.bureau.asked("q2", sender="carol")
    await scene.settled()
    assert [errand.id for errand in scene.responder.errands] == ["q2"]


async def test_an_answer_after_the_owners_is_dropped(scene):
    scene.responder.gate.clear()
    question = await scene.bureau.asked()
    await scene.deputy.look()
    await eventually(lambda: scene.responder.errands)
    await scene.bureau.store.settle("bob", question.id, "acked")
    scene.responder.gate.set()
    await scene.settled()
    assert await scene.how() == "acked"


async def test_closing_ends_all_runs(scene):
    scene.responder.gate.clear()
    await scene.bureau.asked()
    await scene.deputy.look()
    await eventually(lambda: scene.responder.errands)
    await scene.deputy.close()
    assert scene.responder.cancelled == 1


async def test_a_mistake_in_a_run_is_logged_and_others_go_on(scene, caplog):
    async def broken(*_args, **_kwargs):
        raise RuntimeError("broken")

    scene.responder.run = broken
    await scene.bureau.asked()
    await scene.deputy.look()
    await eventually(lambda: "responder.failed" in caplog.text)
