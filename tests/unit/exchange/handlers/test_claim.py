"""Claims of names, on one node with a store in memory."""

import asyncio

import pytest

from exchange.core.errors import NameTaken, TokenInvalid, Unavailable
from exchange.core.model import Link, NodeInfo, Presence, Profile
from exchange.handlers.claim import Displaced, claim, guard, reclaim, resume
from exchange.handlers.exchange import Policy
from exchange.ports import ClaimWord
from tests.harness.world import LEASE_MS, Place

PROFILE = Profile("ann", "Ann")


def presence(sid: str, uid: str, node: str = "here") -> Presence:
    return Presence(sid, uid, "ann", node, "magi", "192.0.2.1")


OLD = presence("sid-old", "uid-old")
NEW = presence("sid-new", "uid-new")


@pytest.fixture
async def dead(here) -> Presence:
    """A session whose node has no lease."""
    return presence("sid-dead", "uid-dead", "dead")


async def held(place: Place, by: Presence, token: str = "") -> None:
    await place.store.names.claim("ann", by, token=token)
    await place.store.users.open(by, PROFILE)


async def left(place: Place, by: Presence, token: str = "") -> None:
    await held(place, by, token)
    await place.store.users.close(by.uid, by.sid, grace_ms=0)
    await place.store.names.release("ann", "magi", by.sid, grace_ms=0)


async def befriended(place: Place, uid: str) -> None:
    await place.store.links.put(uid, Link("uid-bob", "c1", "bob", "Bob", persist=True))


async def test_a_free_name_is_whoever_claims_it(here):
    found = await claim(here.exchange, NEW)
    assert (found.word, found.uid) == (ClaimWord.FRESH, "uid-new")


async def test_a_name_that_a_session_holds_is_taken(here):
    await held(here, OLD)
    with pytest.raises(NameTaken):
        await claim(here.exchange, NEW)


async def test_a_claim_waits_for_a_holder_who_is_taking_leave(here):
    await here.store.names.claim("ann", OLD)
    waiting = asyncio.create_task(claim(here.exchange, NEW))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    await here.store.names.release("ann", "magi", OLD.sid, grace_ms=0)
    assert (await waiting).word is ClaimWord.FRESH


async def test_a_holder_on_a_dead_node_is_put_aside(here, dead):
    await held(here, dead)
    assert (await claim(here.exchange, NEW)).word is ClaimWord.FRESH


async def test_after_an_outage_nobody_is_known_to_be_dead(memory, dead):
    place = await Place(memory, "here", Policy(store_up_seconds=1e9)).start()
    await held(place, dead)
    with pytest.raises(Unavailable):
        await claim(place.exchange, NEW)


async def test_a_name_with_a_token_is_kept_for_who_would_come_back_to_friends(here):
    await left(here, OLD, token="t1")
    await befriended(here, OLD.uid)
    with pytest.raises(NameTaken):
        await claim(here.exchange, NEW)


async def test_a_name_with_a_token_is_free_if_its_owner_has_nothing_to_lose(here):
    await left(here, OLD, token="t1")
    found = await claim(here.exchange, NEW)
    assert (found.word, found.uid) == (ClaimWord.FRESH, "uid-new")
    with pytest.raises(TokenInvalid):
        await resume(here.exchange, OLD, proof="t1")


async def test_a_name_with_a_token_stays_with_a_session_of_a_dead_node_until_that_is_cleared(here, dead):
    await held(here, dead, token="t1")
    with pytest.raises(NameTaken):
        await claim(here.exchange, NEW)
    await here.store.users.close(dead.uid, dead.sid, grace_ms=0)
    assert (await claim(here.exchange, NEW)).uid == "uid-new"


async def test_a_token_brings_the_uid_back_and_is_replaced(here):
    await left(here, OLD, token="t1")
    found = await resume(here.exchange, NEW, proof="t1", token="t2")
    assert (found.word, found.uid) == (ClaimWord.RESUMED, "uid-old")


async def test_a_token_takes_the_name_from_a_live_session(here):
    await held(here, OLD, token="t1")
    found = await resume(here.exchange, NEW, proof="t1", token="t2")
    assert (found.word, found.uid) == (ClaimWord.RESUMED, "uid-old")


async def test_whoever_comes_back_waits_until_the_old_session_has_taken_leave(here):
    await held(here, OLD, token="t1")
    await here.store.users.close(OLD.uid, OLD.sid, grace_ms=0)
    waiting = asyncio.create_task(resume(here.exchange, NEW, proof="t1", token="t2"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    await here.store.names.release("ann", "magi", OLD.sid, grace_ms=0)
    assert (await waiting).uid == "uid-old"


async def test_a_holder_who_never_finishes_its_leave_is_not_waited_for_for_ever(here):
    await here.store.names.claim("ann", OLD, token="t1")
    assert (await resume(here.exchange, NEW, proof="t1", token="t2")).uid == "uid-old"


@pytest.mark.parametrize("proof", ["t0", "\0"])
async def test_a_wrong_token_is_refused_whoever_holds_the_name(here, proof):
    with pytest.raises(TokenInvalid):
        await resume(here.exchange, NEW, proof=proof, token="t2")
    await held(here, OLD, token="t1")
    with pytest.raises(TokenInvalid):
        await resume(here.exchange, NEW, proof=proof, token="t2")
    assert await here.store.names.find("ann", "magi") == "uid-old"


async def test_a_holder_gets_a_token_and_the_one_before_stays_good_until_it_is_used(here):
    await held(here, OLD, token="t1")
    await guard(here.exchange, OLD, proof="t1", token="t2")
    assert (await resume(here.exchange, NEW, proof="t1")).uid == "uid-old"


async def test_whoever_holds_a_name_no_more_gets_no_token_for_it(here):
    await held(here, OLD, token="t1")
    with pytest.raises(TokenInvalid):
        await guard(here.exchange, OLD, proof="t0", token="t2")
    await resume(here.exchange, NEW, proof="t1", token="t2")
    with pytest.raises(NameTaken):
        await guard(here.exchange, OLD, proof="t1", token="t3")


# --- after a fence ---------------------------------------------------------------------------------------------------

AGAIN = presence("sid-again", "uid-old")


@pytest.mark.parametrize("token", ["", "t1"])
async def test_a_fenced_session_gets_its_name_back_from_its_old_self(here, token):
    await held(here, OLD, token)
    found = await reclaim(here.exchange, AGAIN, before=OLD.sid, token=token)
    assert found.uid == "uid-old"
    assert (await here.store.names.claim("ann", NEW)).holder == AGAIN.sid


@pytest.mark.parametrize("token", ["", "t1"])
async def test_a_fenced_session_gets_its_name_back_after_its_farewell(here, token):
    await left(here, OLD, token)
    assert (await reclaim(here.exchange, AGAIN, before=OLD.sid, token=token)).uid == "uid-old"


async def test_a_fenced_session_waits_for_its_own_farewell(here):
    await here.store.names.claim("ann", OLD)
    waiting = asyncio.create_task(reclaim(here.exchange, AGAIN, before=OLD.sid, token=""))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    await here.store.names.release("ann", "magi", OLD.sid, grace_ms=0)
    assert (await waiting).uid == "uid-old"


async def test_a_fenced_session_keeps_uid_and_token_if_the_store_forgot_everything(here):
    found = await reclaim(here.exchange, AGAIN, before=OLD.sid, token="t1")
    assert (found.word, found.uid) == (ClaimWord.FRESH, "uid-old")
    assert (await resume(here.exchange, NEW, proof="t1", token="t2")).uid == "uid-old"


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("used", [False, True])
async def test_a_fenced_session_yields_to_one_that_took_over(here, gone, used):
    await held(here, OLD, token="t1")
    await resume(here.exchange, NEW, proof="t1", token="t2")
    if used:
        await resume(here.exchange, NEW, proof="t2")
    if gone:
        await here.store.names.release("ann", "magi", NEW.sid, grace_ms=0)
    if gone and not used:
        assert (await reclaim(here.exchange, AGAIN, before=OLD.sid, token="t1")).uid == "uid-old"
        return
    with pytest.raises(Displaced):
        await reclaim(here.exchange, AGAIN, before=OLD.sid, token="t1")


async def test_a_fenced_session_whose_name_somebody_else_has_is_not_displaced_but_refused(here):
    await left(here, OLD)
    await held(here, NEW)
    with pytest.raises(NameTaken) as refusal:
        await reclaim(here.exchange, AGAIN, before=OLD.sid, token="")
    assert type(refusal.value) is NameTaken


async def test_the_leases_of_nodes_decide_who_is_dead(here, dead, memory):
    await held(here, dead)
    await here.store.leases.renew(NodeInfo("dead", "0", memory.now_ms()), ttl_ms=LEASE_MS, draining=False)
    with pytest.raises(NameTaken):
        await claim(here.exchange, NEW)
