"""What a desk promises (CLI-2), in this process and through the daemon's socket; whom it speaks to is always the same kind."""

import asyncio
from contextlib import AsyncExitStack, aclosing

import pytest

from magi.client.errors import AlreadySettled, InviteRefused, TooLarge
from magi.client.states import State
from magi.daemon.port import AskView, Caller, DeskError, Item, Waiting
from magi.daemon.remote import FaceLine, RemoteDesk
from magi.daemon.server import FaceServer
from tests.harness.offices import MODEL, OTHER, OWNER, comes, hello, two_offices
from tests.harness.waiting import WAIT_SECONDS, eventually

SECRET = "The key is ghp_" + "a1B2" * 9


class Scene:
    """Alice's desk, as any face has it, and Bob's."""

    def __init__(self, kind, place, exchange, offices, ends):
        self.kind = kind
        self.place = place
        self.exchange = exchange
        self.alice, self.bob = offices
        self.ends = ends
        self._paths = {}

    async def desk(self, caller=OWNER, *, of=None):
        """Return a desk for a face: in this process, or over a socket."""
        office = of or self.alice
        if self.kind == "local":
            return office.attach(hello(caller))
        if office not in self._paths:
            self._paths[office] = path = self.place / f"{len(self._paths)}.sock"
            server = FaceServer(office, version="0.1.0", on_retire=lambda: None)
            await server.open(path)
            self.ends.push_async_callback(server.close)
        path = self._paths[office]
        desk = await RemoteDesk.open(lambda: FaceLine.open(path, hello(caller)))
        self.ends.push_async_callback(desk.close)
        return desk

    async def asked(self, text="Which Redis do you run?", *, caller=OWNER, **options):
        """Have Bob ask Alice, and return it as Alice's inbox has it."""
        bob = await self.desk(of=self.bob)
        view = await bob.ask("alice", text, caller=caller, **options)
        owner = await self.desk()
        return await eventually(lambda: find(owner, view.id))


async def find(desk, id_):
    found = await desk.inbox(caller=OWNER, limit=100, peek=True)
    return next((item for item in found.items if item.id == id_), None)


@pytest.fixture(params=["local", "remote"])
async def scene(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("d")
    async with two_offices(place, "alice", "bob") as (exchange, offices), AsyncExitStack() as ends:
        yield Scene(request.param, place, exchange, offices, ends)


# --- who we are ------------------------------------------------------------------------------------------------------


async def test_status_says_who_where_and_how(scene):
    status = await (await scene.desk()).status()
    assert (status.username, status.nickname, status.profile) == ("alice", "Alice", "alice")
    assert (status.server, status.connection) == (scene.exchange.address, "connected")
    assert (status.durable, status.encrypted_transport, status.missing) == (True, False, ())
    assert status.waiting == Waiting()


async def test_friends_have_petnames_and_modes(scene):
    (bob,) = await (await scene.desk()).friends()
    assert (bob.petname, bob.username, bob.nickname, bob.online, bob.mode) == ("bob", "bob", "Bob", True, "ask")


async def test_an_invitation_makes_friends(scene):
    desk = await scene.desk()
    invite = await desk.invite()
    assert invite.code in invite.say
    with pytest.raises(InviteRefused):
        await desk.connect("NOSUCH")
    friend = await (await scene.desk(of=scene.bob)).connect(invite.code.lower(), petname="ally")
    assert friend.username == "alice"


async def test_a_friend_is_called_as_the_owner_likes(scene):
    desk = await scene.desk()
    assert (await desk.rename("bob", "Bobby")).petname == "Bobby"
    assert (await desk.ask("bobby", "Which Redis?", caller=OWNER)).who == "Bobby"
    for petname in ("owner", "b b", ""):
        with pytest.raises(DeskError) as caught:
            await desk.rename("Bobby", petname)
        assert caught.value.exit_status == 2


async def test_nobody_of_that_name_is_an_error(scene):
    desk = await scene.desk()
    for call in (desk.ask("mallory", "Hi?", caller=OWNER), desk.mode("mallory", "mute"), desk.unfriend("mallory")):
        with pytest.raises(DeskError, match="no friend called 'mallory'"):
            await call


async def test_unfriending_ends_the_friendship(scene):
    desk = await scene.desk()
    await desk.unfriend("bob")
    assert await desk.friends() == ()
    await eventually(lambda: no_friends(scene.bob))


async def no_friends(desk):
    return not await desk.friends()


async def test_a_blocked_user_is_no_friend_and_nothing_of_it_waits(scene):
    await scene.asked()
    desk = await scene.desk()
    await desk.block("bob")
    assert await desk.friends() == ()
    assert (await desk.inbox(caller=OWNER, peek=True)).items == ()
    await desk.block("bob", blocked=False)


async def test_what_we_are_doing_is_told_to_friends(scene):
    await (await scene.desk(MODEL)).announce(status="working", capabilities=("redis",))
    bob = await scene.desk(of=scene.bob)

    async def told():
        (alice,) = await bob.friends()
        return (alice.status, alice.capabilities) == ("working", ("redis",))

    await eventually(told)
    with pytest.raises(DeskError):
        await bob.announce(status="asleep")


# --- asking ----------------------------------------------------------------------------------------------------------


async def test_an_answer_comes_back_and_waits_no_more_once_it_was_waited_for(scene):
    desk, bob = await scene.desk(MODEL), await scene.desk(of=scene.bob)
    view = await desk.ask("bob", "Which Redis?", caller=MODEL)
    assert (view.who, view.text, State(view.state).final) == ("bob", "Which Redis?", False)
    item = (await comes(bob, OWNER)).items[0]
    assert (item.who, item.kind, item.text, item.origin) == ("alice", "ask", "Which Redis?", "model")
    await bob.answer(item.id, "8.4, cluster mode", caller=OWNER)
    done = await desk.wait(view.id[:6], WAIT_SECONDS)
    assert (done.state, done.answer, done.matched) == ("answered", "8.4, cluster mode", "id")
    assert (await desk.inbox(caller=MODEL)).waiting.answers == 0
    (again,) = (await desk.inbox(caller=MODEL, ask_id=view.id)).items
    assert (again.kind, again.text) == ("answer", "8.4, cluster mode")


async def test_an_answer_that_nobody_waited_for_is_in_the_inbox(scene):
    desk, bob = await scene.desk(), await scene.desk(of=scene.bob)
    view = await desk.ask("bob", "Which Redis?", caller=OWNER)
    await bob.answer((await comes(bob, OWNER)).items[0].id, "8.4", caller=OWNER)
    found = await comes(desk, OWNER)
    assert (found.items[0].reply_to, found.waiting.answers) == (view.id, 1)
    await desk.ack(found.items[0].id, caller=OWNER)
    assert (await desk.inbox(caller=OWNER, peek=True)).waiting == Waiting()


async def test_running_out_of_time_is_no_error(scene):
    desk = await scene.desk()
    view = await desk.ask("bob", "Which Redis?", caller=OWNER)
    assert not State((await desk.wait(view.id, 0.0)).state).final


async def test_a_decline_ends_an_ask_with_its_reason(scene):
    desk, bob = await scene.desk(), await scene.desk(of=scene.bob)
    view = await desk.ask("bob", "Which Redis?", caller=OWNER)
    await bob.decline((await comes(bob, OWNER)).items[0].id, "I may not say", caller=OWNER)
    done = await desk.wait(view.id, WAIT_SECONDS)
    assert (done.state, done.answer) == ("declined", "I may not say")


async def test_a_note_is_over_with_its_receipt(scene):
    desk, bob = await scene.desk(), await scene.desk(of=scene.bob)
    view = await desk.ask("bob", "The build is green.", caller=OWNER, wants_answer=False)
    assert (await desk.wait(view.id, WAIT_SECONDS)).state == "delivered"
    item = (await comes(bob, OWNER)).items[0]
    assert item.kind == "note"
    await bob.ack(item.id, caller=OWNER)


async def test_the_same_id_asks_once(scene):
    desk, bob = await scene.desk(), await scene.desk(of=scene.bob)
    first = await desk.ask("bob", "Which Redis?", caller=OWNER, id="chosen1")
    assert (await desk.ask("bob", "Which Redis?", caller=OWNER, id="chosen1")).id == first.id == "chosen1"
    assert len((await comes(bob, OWNER)).items) == 1


async def test_anyone_is_a_friend_who_is_not_muted(scene):
    desk = await scene.desk()
    assert (await desk.ask("anyone", "Who is there?", caller=OWNER)).who == "bob"
    await desk.mode("bob", "mute")
    with pytest.raises(DeskError, match="nobody to ask"):
        await desk.ask("anyone", "Who else?", caller=OWNER)


async def test_an_ask_that_was_withdrawn_is_over(scene):
    desk = await scene.desk()
    view = await desk.ask("bob", "Which Redis?", caller=OWNER)
    assert (await desk.withdraw(view.id)).state == "withdrawn"
    assert (await desk.wait(view.id, WAIT_SECONDS)).state == "withdrawn"


async def test_the_same_text_twice_is_refused_and_names_the_rule(scene):
    desk = await scene.desk(MODEL)
    await desk.ask("bob", "Which Redis?", caller=MODEL)
    with pytest.raises(DeskError, match="within the last 10 minutes") as caught:
        await desk.ask("bob", "Which Redis?", caller=MODEL)
    assert caught.value.exit_status == 7


async def test_too_many_open_asks_are_refused(scene):
    desk = await scene.desk()
    for number in range(20):
        await desk.ask("bob", f"Question {number}?", caller=OWNER)
    with pytest.raises(DeskError, match="20 questions to this friend are open"):
        await desk.ask("bob", "One more?", caller=OWNER)


async def test_nothing_is_no_question_and_no_answer(scene):
    desk = await scene.desk()
    with pytest.raises(DeskError):
        await desk.ask("bob", " ", caller=OWNER)
    with pytest.raises(DeskError):
        await desk.answer((await scene.asked()).id, " ", caller=OWNER)


async def test_a_text_that_no_frame_could_hold_is_refused(scene):
    desk = await scene.desk()
    with pytest.raises(TooLarge):
        await desk.ask("bob", "x " * (1 << 20), caller=OWNER)


# --- what leaves -----------------------------------------------------------------------------------------------------


async def test_an_assistants_answer_waits_for_the_owner_who_may_edit_it(scene):
    """CLI-33: mode ask."""
    item, desk, owner = await scene.asked(), await scene.desk(MODEL), await scene.desk()
    view = await desk.answer(item.id, "8.2", caller=MODEL)
    assert view.state == "held_here"
    assert (await desk.inbox(caller=MODEL)).waiting == Waiting(held=1)
    (held,) = await owner.held()
    assert (held.who, held.question, held.draft, held.reason) == ("bob", item.text, "8.2", "mode")
    bob = await scene.desk(of=scene.bob)
    await eventually(lambda: stands(bob, item.id, "held"))
    sent = await owner.review(held.id[:6], approve=True, text="8.4")
    assert sent is not None
    assert (await bob.wait(item.id, WAIT_SECONDS)).answer == "8.4"
    assert await owner.held() == ()


async def stands(desk, ask_id, state):
    return (await desk.wait(ask_id, 0.0)).state == state


async def test_a_dropped_draft_leaves_the_question_open(scene):
    item, desk, owner = await scene.asked(), await scene.desk(MODEL), await scene.desk()
    held = await desk.answer(item.id, "8.2", caller=MODEL)
    assert await owner.review(held.id, approve=False) is None
    assert [one.id for one in (await desk.inbox(caller=MODEL)).items] == [item.id]


@pytest.mark.parametrize("scope", ["today", "always"])
async def test_an_approval_may_count_for_longer(scene, scope):
    first, desk, owner = await scene.asked("One?"), await scene.desk(MODEL), await scene.desk()
    held = await desk.answer(first.id, "Yes.", caller=MODEL)
    await owner.review(held.id, approve=True, scope=scope)
    second = await scene.asked("Two?")
    assert (await desk.answer(second.id, "No.", caller=MODEL)).state != "held_here"
    assert (await owner.friends())[0].mode == ("auto" if scope == "always" else "ask")


async def test_in_mode_auto_an_answer_leaves_at_once_unless_paused(scene):
    owner, desk, bob = await scene.desk(), await scene.desk(MODEL), await scene.desk(of=scene.bob)
    await owner.mode("bob", "auto")
    item = await scene.asked("One?")
    await desk.answer(item.id, "Yes.", caller=MODEL)
    assert (await bob.wait(item.id, WAIT_SECONDS)).answer == "Yes."
    await owner.pause(-1)
    assert (await owner.status()).paused
    second = await scene.asked("Two?")
    assert (await desk.answer(second.id, "No.", caller=MODEL)).state == "held_here"
    assert [held.reason for held in await owner.held()] == ["paused"]
    await owner.pause(0)


async def test_a_muted_friend_is_shown_to_the_owner_only(scene):
    owner, desk = await scene.desk(), await scene.desk(MODEL)
    await owner.mode("bob", "mute")
    item = await scene.asked("Psst?")
    assert (await desk.inbox(caller=MODEL)).items == ()
    assert [one for one in await desk.history() if isinstance(one, Item)] == []
    for call in (desk.answer(item.id, "No.", caller=MODEL), desk.ack(item.id, caller=MODEL)):
        with pytest.raises(DeskError, match="nothing with the id"):
            await call
    assert [one.text for one in await owner.history()] == ["Psst?"]
    await owner.answer(item.id, "What?", caller=OWNER)


@pytest.mark.parametrize("caller", [OWNER, MODEL], ids=["owner", "model"])
async def test_a_secret_is_held_whoever_wrote_it_and_its_place_is_named(scene, caller):
    """CLI-34."""
    desk, owner = await scene.desk(caller), await scene.desk()
    view = await desk.ask("bob", SECRET, caller=caller)
    assert view.state == "held_here"
    assert "GitHub token (line 1, column 12)" in view.detail
    assert "ghp_" not in view.detail
    with pytest.raises(DeskError, match="GitHub token") as caught:
        await owner.review(view.id, approve=True)
    assert caught.value.exit_status == 10
    assert await owner.review(view.id, approve=True, override=True) is not None
    bob = await scene.desk(of=scene.bob)
    assert (await comes(bob, OWNER)).items[0].text == SECRET


async def test_no_face_of_a_model_raises_a_right(scene):
    """CLI-35: whatever the face says of itself."""
    item, desk = await scene.asked(), await scene.desk(MODEL)
    lying = Caller("cli", "human", "")
    held = await desk.answer(item.id, "8.4", caller=lying)
    assert held.state == "held_here", "it does not speak as the owner"
    await desk.pause(-1)
    for call in (
        desk.held(),
        desk.review(held.id, approve=True),
        desk.mode("bob", "auto"),
        desk.pause(0),
        desk.block("bob", blocked=False),
        desk.rename("bob", "boss"),
    ):
        with pytest.raises(DeskError, match="Only the owner"):
            await call
    assert (await desk.mode("bob", "mute")).mode == "mute"


async def test_a_question_that_came_back_to_us_is_declined(scene):
    """CLI-39."""
    bob, alice = await scene.desk(MODEL, of=scene.bob), await scene.desk(MODEL)
    first = await alice.ask("bob", "Which Redis?", caller=MODEL)
    await comes(bob, MODEL)
    back = await bob.ask("alice", "She asks which Redis?", caller=MODEL)
    assert (await bob.wait(back.id, WAIT_SECONDS)).state == "declined"
    assert "came back to where it started" in (await bob.wait(back.id, 0.0)).answer
    assert not State((await alice.wait(first.id, 0.0)).state).final


async def test_a_person_who_asks_begins_anew(scene):
    bob, alice = await scene.desk(of=scene.bob), await scene.desk(MODEL)
    await alice.ask("bob", "Which Redis?", caller=MODEL)
    await comes(bob, OWNER)
    back = await bob.ask("alice", "Why do you ask?", caller=OWNER)
    assert [item.id for item in (await comes(alice, MODEL)).items] == [back.id]


# --- answering -------------------------------------------------------------------------------------------------------


async def test_a_question_is_claimed_by_one_session_and_peeking_claims_nothing(scene):
    """CLI-27."""
    item, one, two = await scene.asked(), await scene.desk(MODEL), await scene.desk(OTHER)
    assert [got.id for got in (await two.inbox(caller=OTHER, peek=True)).items] == [item.id]
    assert [got.id for got in (await one.inbox(caller=MODEL)).items] == [item.id]
    assert (await two.inbox(caller=OTHER)).items == ()
    assert [got.id for got in (await one.inbox(caller=MODEL)).items] == [item.id], "what it has is there again"
    bob = await scene.desk(of=scene.bob)
    await eventually(lambda: stands(bob, item.id, "seen"))


async def test_the_owner_sees_what_an_assistant_has(scene):
    item, one, owner = await scene.asked(), await scene.desk(MODEL), await scene.desk()
    await one.inbox(caller=MODEL)
    assert [got.id for got in (await owner.inbox(caller=OWNER)).items] == [item.id]


async def test_the_first_settlement_wins(scene):
    item, owner = await scene.asked(), await scene.desk()
    await owner.answer(item.id, "8.4", caller=OWNER)
    for call in (
        owner.answer(item.id, "8.2", caller=OWNER),
        owner.decline(item.id, "no", caller=OWNER),
        owner.ack(item.id, caller=OWNER),
        owner.defer(item.id, 60.0, caller=OWNER),
    ):
        with pytest.raises(AlreadySettled):
            await call


async def test_the_owners_answer_ends_a_draft_of_an_assistant(scene):
    item, desk, owner = await scene.asked(), await scene.desk(MODEL), await scene.desk()
    await desk.answer(item.id, "8.2", caller=MODEL)
    await owner.answer(item.id, "8.4", caller=OWNER)
    assert await owner.held() == ()
    assert (await (await scene.desk(of=scene.bob)).wait(item.id, WAIT_SECONDS)).answer == "8.4"


async def test_a_deferred_question_is_offered_later(scene):
    item, desk = await scene.asked(), await scene.desk(MODEL)
    await desk.defer(item.id, 600.0, caller=MODEL)
    assert (await desk.inbox(caller=MODEL)).items == ()
    await desk.defer(item.id, 0.3, caller=MODEL)
    assert [got.id for got in (await comes(desk, MODEL)).items] == [item.id]


async def test_waiting_for_the_inbox_ends_when_something_comes(scene):
    desk = await scene.desk(MODEL)
    waiting = asyncio.create_task(comes(desk, MODEL))
    item = await scene.asked()
    assert [got.id for got in (await waiting).items] == [item.id]


async def test_an_id_that_is_ambiguous_or_unknown_is_an_error(scene):
    desk = await scene.desk()
    for number in (1, 2):
        await desk.ask("bob", f"Question {number}?", caller=OWNER, id=f"same{number}")
    with pytest.raises(DeskError, match="Several ids begin with 'same'"):
        await desk.withdraw("same")
    with pytest.raises(DeskError, match="nothing with the id 'none'"):
        await desk.wait("none", 0.0)
    with pytest.raises(DeskError, match="nothing with the id"):
        await desk.ack("", caller=OWNER)


async def test_the_record_has_both_sides_in_order(scene):
    item, desk = await scene.asked("Which Redis?"), await scene.desk()
    await desk.answer(item.id, "8.4", caller=OWNER)
    theirs, ours = await desk.history("bob")
    assert isinstance(theirs, Item)
    assert isinstance(ours, AskView)
    assert (theirs.text, ours.text) == ("Which Redis?", "8.4")
    assert [one.text for one in await desk.history(search="redis")] == ["Which Redis?"]


async def test_events_tell_what_waits_and_every_change(scene):
    desk = await scene.desk()
    async with asyncio.timeout(WAIT_SECONDS), aclosing(desk.events()) as events:
        assert (await anext(events)).waiting == Waiting()
        item = await scene.asked()
        async for now in events:
            if now.waiting.questions:
                break
        assert now.waiting.questions == ("bob",)
        assert [one.id for one in now.items] == [item.id]
        await desk.ack(item.id, caller=OWNER)
        assert (await anext(events)).waiting == Waiting()
