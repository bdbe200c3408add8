"""Taking another name, on two nodes with one store in memory."""

import asyncio

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.farewell import say_farewell
from exchange.handlers.exchange import Policy
from exchange.ports import ClaimWord
from tests.harness.waiting import eventually
from tests.harness.world import LEASE_MS, PERSISTENT, Peer, Place, befriend


async def identify(peer: Peer, name: str) -> str:
    reply = await peer.ask("identify", username=name)
    return reply.get("message", reply["type"])


async def test_a_new_name_takes_friends_and_invitations_along_and_frees_the_old_one(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    uid = ann.connection.session.identified().uid
    invitation = await ann.ask("create_invite")
    assert await identify(ann, "anna") == "identified"
    assert ann.connection.session.identified().uid == uid
    await ann.ask("ask", content="hello")
    assert (await bob.hears("question"))["from"] == "anna"
    assert (await bob.ask("answer", content="hi", to="anna"))["type"] == "answer_sent"
    cat = await there.identified("cat")
    assert (await cat.ask("connect", code=invitation["code"]))["friend"]["username"] == "anna"
    assert await identify(there.connect(), "ann") == "identified"


async def test_a_name_that_is_taken_leaves_the_session_who_it_was(here, there):
    ann = await here.identified("ann")
    await there.identified("bob")
    assert await identify(ann, "bob") == "Username already taken"
    assert ann.connection.session.identified().name == "ann"
    assert (await ann.ask("create_invite"))["type"] == "invite_created"


async def test_persistent_friends_and_tokens_move_along_to_another_name(here, there):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    old = ann.token
    assert await identify(ann, "anna") == "identified"
    assert ann.token != old
    assert await identify(there.connect(), "ann") == "identified", "the old name is free for anybody"
    await here.forgets(ann)
    assert (await bob.ask("friends"))["friends"][0]["username"] == "anna"
    assert await identify(here.connect(), "anna") == "Username already taken"
    again = await here.identified("anna", features=PERSISTENT, token=ann.token)
    assert (await again.ask("ask", content="hello"))["type"] == "question_sent"


async def test_a_move_that_broke_off_leaves_the_client_a_token_that_works(here, there, monkeypatch):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    claim, words = here.store.names.claim, []

    async def failing(name, presence, **more):
        found = await claim(name, presence, **more)
        words.append(found.word)
        if len(words) == 2:
            raise StorageUnavailable  # the token was issued, and nobody will ever hear of it
        return found

    with monkeypatch.context() as patch:
        patch.setattr(here.store.names, "claim", failing)
        assert (await ann.ask("identify", username="anna"))["code"] == "unavailable"
    assert words == [ClaimWord.FRESH, ClaimWord.SAME]
    await here.forgets(ann)
    again = await there.identified("anna", features=PERSISTENT, token=ann.token)
    assert (await again.ask("friends"))["friends"][0]["username"] == "bob"


async def test_a_move_whose_claim_was_not_answered_leaves_the_other_name_free(here, there, monkeypatch):
    ann = await here.identified("ann")
    claim = here.store.names.claim

    async def unanswered(*words, **more):
        await claim(*words, **more)
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(here.store.names, "claim", unanswered)
        await identify(ann, "anna")
        assert await here.exchange.settled(10) == 0
    assert await identify(there.connect(), "anna") == "identified"
    assert await identify(there.connect(), "ann") == "Username already taken"


@pytest.mark.parametrize("names", [("anna", "anna"), ("anna", "ann", "anna")], ids=["again", "back and again"])
async def test_what_a_failed_move_leaves_to_be_done_does_not_touch_a_name_that_is_wanted_again(
    here, there, monkeypatch, names
):
    ann = await here.identified("ann")
    forget, late = here.store.names.forget, asyncio.Event()

    async def postponed(*words):
        if not late.is_set():
            raise StorageUnavailable(sent=False)
        return await forget(*words)

    with monkeypatch.context() as patch:
        patch.setattr(here.store.names, "forget", postponed)
        with monkeypatch.context() as breaking:
            breaking.setattr(here.store.names, "claim", _unanswered(here.store.names.claim))
            await identify(ann, names[0])
        for name in names[1:]:
            await identify(ann, name)
        late.set()
        assert await here.exchange.settled(10) == 0
    assert ann.connection.session.identified().name == names[-1]
    assert await here.store.names.find(names[-1], "magi") == ann.connection.session.identified().uid
    assert await identify(there.connect(), names[-1]) == "Username already taken"


def _unanswered(claim):
    async def claiming(*words, **more):
        await claim(*words, **more)
        raise StorageUnavailable

    return claiming


async def test_a_name_that_was_left_and_is_wanted_again_is_kept(here, there, monkeypatch):
    ann = await here.identified("ann")
    forget, late = here.store.names.forget, asyncio.Event()

    async def postponed(*words):
        if not late.is_set():
            raise StorageUnavailable(sent=False)
        return await forget(*words)

    monkeypatch.setattr(here.store.names, "forget", postponed)
    assert await identify(ann, "anna") == "identified"
    assert await identify(ann, "ann") == "identified"
    late.set()
    assert await here.exchange.settled(10) == 0
    assert await identify(there.connect(), "ann") == "Username already taken"
    assert await identify(there.connect(), "anna") == "identified"


@pytest.mark.parametrize("moment", ["claim", "forget"])
async def test_a_move_that_a_takeover_overtakes_leaves_nothing_behind(here, there, monkeypatch, moment):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    token, again = ann.token, []
    step = getattr(here.store.names, moment)

    async def overtaken(*words, **more):
        if not again:
            again.append(None)
            again[0] = await there.identified("ann", features=PERSISTENT, token=token)
        return await step(*words, **more)

    monkeypatch.setattr(here.store.names, moment, overtaken)
    ann.say("identify", username="anna")
    await eventually(lambda: ann.closed)
    assert await here.exchange.settled(10) == 0
    assert await identify(here.connect(address="198.51.100.4"), "anna") == "identified"
    assert again[0].connection.session.identified().name == "ann"
    assert (await again[0].ask("friends"))["friends"][0]["username"] == "bob"
    assert (await bob.ask("friends"))["friends"][0]["username"] == "ann"


@pytest.mark.parametrize("last_step", ["claim", "forget", "describe"])
async def test_after_a_crash_in_the_middle_of_a_move_one_of_the_names_is_left(
    memory, here, there, monkeypatch, last_step
):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    token, stopped = ann.token, asyncio.Event()
    port = here.store.users if last_step == "describe" else here.store.names
    step = getattr(port, last_step)

    async def dying(*words, **more):
        if last_step != "describe":
            await step(*words, **more)
        stopped.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(port, last_step, dying)
    ann.say("identify", username="anna")
    await stopped.wait()
    memory.now_ms.ms += LEASE_MS
    await there.start()
    assert await there.store.leases.reap("here")
    async for presence in there.store.leases.noted("here"):
        for _ in range(2):  # it may break off before the end, and is repeated then
            await say_farewell(there.store, presence, grace_ms=Policy().grace_ms, resume_ms=Policy().resume_ms)
    left, free = ("ann", "anna") if last_step == "claim" else ("anna", "ann")
    await there.identified(left, features=PERSISTENT, token=token)
    assert await identify(there.connect(address="198.51.100.4"), free) == "identified"


async def test_a_move_cut_off_by_its_deadline_is_finished_all_the_same(memory, there, monkeypatch):
    hasty = await Place(memory, "hasty", Policy(store_up_seconds=0, reply_seconds=0.05)).start()
    ann, bob = await hasty.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    go_on = asyncio.Event()

    def slow(step):
        async def stepping(*words, **more):
            await go_on.wait()
            return await step(*words, **more)

        return stepping

    for port, step in ((hasty.store.names, "forget"), (hasty.store.users, "describe")):
        monkeypatch.setattr(port, step, slow(getattr(port, step)))
    assert (await identify(ann, "anna")).startswith("Service temporarily unavailable")
    go_on.set()
    assert await hasty.exchange.settled(10) == 0
    assert await identify(there.connect(), "ann") == "identified"
    assert next(iter(bob.connection.session.identified().links)).name == "anna"
