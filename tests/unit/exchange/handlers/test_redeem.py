"""Using invitation codes, on two nodes with one store in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Link
from exchange.handlers import redeem
from exchange.handlers.exchange import Policy
from exchange.ports import InviteWord
from exchange.storage.memory.state import Memory
from tests.harness.waiting import eventually
from tests.harness.world import PERSISTENT, Peer, Place, Time

POLICY = Policy(asks_per_minute=0, store_up_seconds=0, failures_connection=3, failures_address=5)
UNKNOWN = "Invalid or expired invitation code"
LIMITED = "Too many attempts. Try again later."


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(time) -> Memory:
    return Memory(time)


@pytest.fixture
async def here(memory) -> AsyncIterator[Place]:
    place = await Place(memory, "here", POLICY).start()
    yield place
    await place.exchange.settled(10)


@pytest.fixture
async def there(memory) -> AsyncIterator[Place]:
    place = await Place(memory, "there", POLICY).start()
    yield place
    await place.exchange.settled(10)


async def invite(peer: Peer) -> str:
    return (await peer.ask("create_invite"))["code"]


async def use(peer: Peer, code: object) -> str:
    reply = await peer.ask("connect", code=code)
    return reply.get("message", reply["type"])


async def test_both_hear_of_each_other_under_one_connection(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    reply = await bob.ask("connect", code=code)
    assert reply["friend"] == {"username": "ann", "nickname": "Ann"}
    heard = await ann.hears("friend_connected")
    assert heard["friend"] == {"username": "bob", "nickname": "Bob"}
    assert heard["connectionId"] == reply["connectionId"]
    assert there.witness.invites == ["redeemed"]


async def test_whoever_is_nobody_yet_can_say_who_it_is_and_redeem_at_once(here, there):
    ann = await here.identified("ann")
    peer = there.connect()
    peer.say("connect", code=await invite(ann), username="bob")
    await peer.hears("connected_to_friend")
    assert peer.types == ["connected", "identified", "connected_to_friend"]


async def test_a_code_works_once(here, there):
    ann, bob, cat = await here.identified("ann"), await there.identified("bob"), await there.identified("cat")
    code = await invite(ann)
    assert await use(bob, code) == "connected_to_friend"
    await there.exchange.settled(10)
    assert await use(cat, code) == UNKNOWN


async def test_of_many_who_redeem_one_code_at_the_same_time_one_succeeds(here, there):
    ann = await here.identified("ann")
    peers = [await place.identified(f"user{place.info.id}{number}") for place in (here, there) for number in range(3)]
    code = await invite(ann)
    outcomes = await asyncio.gather(*(use(peer, code) for peer in peers))
    assert sorted(outcomes) == [UNKNOWN] * 5 + ["connected_to_friend"]
    await ann.hears("friend_connected")
    assert ann.types.count("friend_connected") == 1


@pytest.mark.parametrize("code", ["NOSUCH", "", None, 7])
async def test_a_code_that_nobody_made_is_refused(here, code):
    assert await use(await here.identified("ann"), code) == UNKNOWN
    assert here.witness.invites == ["unknown"]


async def test_a_code_that_ran_out_is_refused_as_such(here, there, time):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    time.ms += POLICY.invite_life_ms
    assert await use(bob, code) == "Invitation code has expired"
    assert there.witness.invites == ["expired"]


async def test_an_own_invitation_is_refused_and_stays_open(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    assert await use(ann, code) == "Cannot connect to your own invitation"
    assert await use(bob, code) == "connected_to_friend"


async def test_too_many_wrong_codes_of_a_connection_are_refused_unseen_until_the_window_ends(here, there, time):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    for _ in range(POLICY.failures_connection):
        assert await use(bob, "NOSUCH") == UNKNOWN
    assert await use(bob, code) == LIMITED
    time.ms += POLICY.failures_window_ms
    assert await use(bob, code) == "connected_to_friend"


async def test_too_many_wrong_codes_of_an_address_are_refused_on_every_node(here, there):
    ann = await here.identified("ann", address="198.51.100.1")
    code = await invite(ann)
    for number in range(POLICY.failures_address):
        assert await use(await there.identified(f"user{number}"), "NOSUCH") == UNKNOWN
    assert await use(await here.identified("last"), code) == LIMITED
    assert await use(await here.identified("elsewhere", address="198.51.100.2"), code) == "connected_to_friend"


async def test_friends_who_connect_again_keep_their_connection(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    first = await bob.ask("connect", code=await invite(ann))
    await ann.hears("friend_connected")
    again = await ann.ask("connect", code=await invite(bob))
    assert again["connectionId"] == first["connectionId"]


async def test_an_inviter_who_has_just_left_can_be_joined_and_finds_the_friend_on_return(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    ann.leave()
    await here.exchange.settled(10)
    assert await use(bob, code) == "connected_to_friend"
    assert (await bob.ask("ask", content="there?"))["message"] == "Ann is not connected"
    back = await here.identified("ann")
    assert (await back.hears("friend_connected"))["friend"]["username"] == "bob"
    await eventually(lambda: not next(iter(bob.connection.session.identified().links)).waiting)
    assert (await bob.ask("ask", content="there?"))["type"] == "question_sent"


async def test_a_friendship_whose_inviter_does_not_come_back_ends(here, there, time, monkeypatch):
    monkeypatch.setattr(redeem, "LAPSE_MARGIN_SECONDS", -POLICY.grace_ms / 1000)
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    ann.leave()
    await here.exchange.settled(10)
    assert await use(bob, code) == "connected_to_friend"
    assert (await bob.hears("friend_disconnected"))["friend"]["username"] == "ann"


async def test_an_inviter_who_left_long_ago_cannot_be_joined(here, there, time):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    ann.leave()
    await here.exchange.settled(10)
    time.ms += POLICY.grace_ms
    assert await use(bob, code) == "Ann is not connected"
    assert (await bob.ask("ask", content="there?"))["message"] == "No active connection. Please connect first."


async def test_whoever_waits_for_another_redeem_gets_the_code_if_that_fails(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    uid = ann.connection.session.identified().uid
    await here.store.invites.claim(code, "uid-other", "nonce", claim_ms=60_000)
    bob.say("connect", code=code)
    await asyncio.sleep(0)
    await here.store.invites.settle(code, uid, "nonce", commit=False)
    await bob.hears("connected_to_friend")


async def test_a_code_that_somebody_holds_too_long_is_refused_as_transient(here, there, monkeypatch):
    monkeypatch.setattr(redeem, "BUSY_PAUSES_SECONDS", (0.0, 0.0))
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    await here.store.invites.claim(code, "uid-other", "nonce", claim_ms=60_000)
    assert (await use(bob, code)).startswith("Service temporarily unavailable")


async def test_a_redeem_that_failed_half_way_leaves_no_friendship_and_the_code_open(here, there, monkeypatch):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code = await invite(ann)
    put, count = there.store.links.put, []

    async def failing(*words, **more):
        count.append(1)
        if len(count) == 2:
            raise StorageUnavailable
        return await put(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(there.store.links, "put", failing)
        assert (await use(bob, code)).startswith("Service temporarily unavailable")
        await there.exchange.settled(10)
    for peer in (ann, bob):
        assert (await here.store.links.table(peer.connection.session.identified().uid))[1] == ()
    assert (await here.store.invites.peek(code, "bob")).word is InviteWord.OPEN
    assert not bob.connection.session.identified().held
    assert await use(bob, code) == "connected_to_friend"


async def test_a_redeem_cut_off_by_its_deadline_is_announced_and_holds_nobody_up(memory, here, monkeypatch):
    hasty = await Place(memory, "hasty", replace(POLICY, reply_seconds=0.5)).start()
    ann, bob = await here.identified("ann"), await hasty.identified("bob")
    code = await invite(ann)

    async def never(*_words, **_more):
        await asyncio.Event().wait()

    monkeypatch.setattr(hasty.hub, "reload", never)
    assert await use(bob, code) == "Service temporarily unavailable. Please try again."
    # The friendship was made before the deadline: it stands, and both ends work.
    await ann.hears("friend_connected")
    await eventually(lambda: bob.connection.session.identified().held == 0)
    await hasty.exchange.settled(10)


async def test_a_code_is_used_up_before_its_redeemer_hears_of_it(here, there, monkeypatch):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code, settle = await invite(ann), there.store.invites.settle
    heard = []

    async def watching(*words, **more):
        heard.append("connected_to_friend" in bob.types)
        await settle(*words, **more)
        heard.append("connected_to_friend" in bob.types)

    monkeypatch.setattr(there.store.invites, "settle", watching)
    assert await use(bob, code) == "connected_to_friend"
    assert heard == [False, False]


async def test_a_code_that_cannot_be_used_up_at_once_keeps_nobody_waiting_and_is_in_the_end(here, there, monkeypatch):
    monkeypatch.setattr(redeem, "SETTLE_SECONDS", 0.01)
    ann, bob = await here.identified("ann"), await there.identified("bob")
    code, settle, calls = await invite(ann), there.store.invites.settle, []

    async def failing(*words, **more):
        calls.append(1)
        if len(calls) == 1:
            raise StorageUnavailable
        await settle(*words, **more)

    monkeypatch.setattr(there.store.invites, "settle", failing)
    assert await use(bob, code) == "connected_to_friend"
    assert (await here.store.invites.peek(code, "cat")).word is InviteWord.BUSY
    await there.exchange.settled(10)
    assert (await here.store.invites.peek(code, "cat")).word is InviteWord.UNKNOWN


async def test_nobody_else_gets_a_code_whose_redeemer_lost_its_node_in_the_middle(here, there, time, monkeypatch):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    code, dead, buried = await invite(ann), asyncio.Event(), asyncio.Event()

    async def dying(*_words, **_more):
        dead.set()
        await buried.wait()

    monkeypatch.setattr(there.store.invites, "settle", dying)
    bob.say("connect", code=code)
    await dead.wait()
    time.ms += redeem.CLAIM_MS
    await here.start()
    assert await use(await here.identified("cat", features=PERSISTENT), code) == UNKNOWN
    assert (await link_of(here, ann)).name == "bob"
    buried.set()


# --- friendships that last (MAGI-28, MAGI-47) and the terms of invitations (MAGI-45) --------------------------------------


async def link_of(place: Place, peer: Peer) -> Link:
    """Return how the store has a user's only friendship."""
    (link,) = (await place.store.links.table(peer.connection.session.identified().uid))[1]
    return link


@pytest.mark.parametrize(
    ("inviter", "redeemer", "lasts"),
    [(PERSISTENT, PERSISTENT, True), (PERSISTENT, (), False), ((), PERSISTENT, False), ((), (), False)],
    ids=["both", "inviter", "redeemer", "neither"],
)
async def test_a_friendship_lasts_if_both_want_that(here, there, inviter, redeemer, lasts):
    ann, bob = await here.identified("ann", features=inviter), await there.identified("bob", features=redeemer)
    assert await use(bob, await invite(ann)) == "connected_to_friend"
    await ann.hears("friend_connected")
    for peer, friend in ((ann, redeemer), (bob, inviter)):
        link = await link_of(here, peer)
        assert (link.persist, link.waiting, sorted(link.features)) == (lasts, False, sorted(friend))


async def test_an_inviter_whose_friendships_last_can_be_joined_however_long_it_is_away(here, there, time):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    code = await invite(ann)
    await here.forgets(ann)
    time.ms += 10 * POLICY.grace_ms
    assert await use(bob, code) == "connected_to_friend"
    assert (await bob.ask("ask", content="there?"))["message"] == "Ann is not connected"
    back = await here.identified("ann", features=PERSISTENT, token=ann.token)
    assert (await back.hears("friend_connected"))["friend"]["username"] == "bob"
    await bob.hears("friend_connected")
    assert (await bob.ask("ask", content="there?"))["type"] == "question_sent"
    assert (await back.hears("question"))["content"] == "there?"
    await here.forgets(back)
    again = await here.identified("ann", features=PERSISTENT, token=back.token)
    assert "friend_connected" not in again.types, "whoever knows is not told again"


async def test_a_plain_user_joins_nobody_who_is_away_for_long(here, there, time):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob")
    code = await invite(ann)
    await here.forgets(ann)
    time.ms += POLICY.grace_ms
    assert await use(bob, code) == "Ann is not connected"


async def test_an_inviter_who_comes_back_in_the_middle_of_a_redeem_is_told(here, there, monkeypatch):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    code = await invite(ann)
    await here.forgets(ann)
    put, backs = there.store.links.put, []

    async def overtaken(*words, **more):
        done = await put(*words, **more)
        if more.get("unseen"):
            backs.append(await here.identified("ann", features=PERSISTENT, token=ann.token))
        return done

    monkeypatch.setattr(there.store.links, "put", overtaken)
    assert await use(bob, code) == "connected_to_friend"
    await backs[0].hears("friend_connected")
    assert not (await link_of(there, bob)).waiting
    assert (await bob.ask("ask", content="there?"))["type"] == "question_sent"


async def test_friends_for_good_stay_that_even_if_one_of_them_comes_as_a_plain_user(here, there):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    assert await use(bob, await invite(ann)) == "connected_to_friend"
    await ann.hears("friend_connected")
    bob = await there.identified("bob", token=bob.token)
    count = ann.types.count("friend_connected")
    assert await use(bob, await invite(ann)) == "connected_to_friend"
    await eventually(lambda: ann.types.count("friend_connected") > count)
    for peer in (ann, bob):
        assert (await link_of(here, peer)).persist


async def test_friends_who_only_connect_again_stay_friends_if_that_fails(here, there, monkeypatch):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    assert await use(bob, await invite(ann)) == "connected_to_friend"
    await ann.hears("friend_connected")
    code = await invite(ann)
    put, count = there.store.links.put, []

    async def failing(*words, **more):
        count.append(1)
        if len(count) == 2:
            raise StorageUnavailable
        return await put(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(there.store.links, "put", failing)
        assert (await use(bob, code)).startswith("Service temporarily unavailable")
        await there.exchange.settled(10)
    for peer in (ann, bob):
        assert (await link_of(here, peer)).persist
    assert (await bob.ask("ask", content="there?"))["type"] == "question_sent"


async def test_an_invitation_for_somebody_is_unknown_to_everybody_else_and_stays_open(here, there):
    ann = await here.identified("ann", features=PERSISTENT)
    bob, cat = await there.identified("bob"), await there.identified("cat")
    code = (await ann.ask("create_invite", **{"for": "bob"}))["code"]
    assert await use(cat, code) == UNKNOWN
    assert there.witness.invites == ["unknown"]
    assert await use(bob, code) == "connected_to_friend"
