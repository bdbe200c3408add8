"""Who looks at which item (CLI-27)."""

import pytest

from magi.client.model import Kind
from magi.client.states import State
from magi.desk.ports import LEASE_MS, Mode
from tests.harness.desks import HOUR_MS, NOW_MS, our_answer, ours, theirs


async def ids(store, session="", kinds=()):
    return [offer.message.id for offer in await store.claims.offered(session, kinds)]


async def claim(store, clock, session, *items):
    return [one.id for one in await store.claims.claim(items or (theirs(),), session, clock.ms + LEASE_MS)]


async def test_looking_claims_nothing(store):
    await store.put_in(theirs())
    assert await ids(store, "s1") == await ids(store, "s2") == ["b1"]


async def test_one_session_has_an_item_and_the_others_do_not_see_it(store, clock):
    await store.put_in(theirs())
    assert await claim(store, clock, "s1") == ["b1"]
    assert await claim(store, clock, "s2") == []
    assert await ids(store, "s1") == ["b1"]
    assert await ids(store, "s2") == await ids(store, "") == []


async def test_a_lease_that_runs_out_offers_the_item_again(store, clock):
    await store.put_in(theirs())
    await claim(store, clock, "s1")
    clock.ms += LEASE_MS - 1
    assert await ids(store, "s2") == []
    clock.ms += 1
    assert await ids(store, "s2") == ["b1"]
    assert await claim(store, clock, "s2") == ["b1"]
    assert await claim(store, clock, "s1") == []


async def test_a_claim_is_renewed_by_claiming_again(store, clock):
    await store.put_in(theirs())
    await claim(store, clock, "s1")
    clock.ms += LEASE_MS - 1
    assert await claim(store, clock, "s1") == ["b1"]
    clock.ms += LEASE_MS - 1
    assert await ids(store, "s2") == []


async def test_an_offer_says_who_has_it_and_who_tried(store, clock):
    await store.put_in(theirs())
    for session in ("s1", "s2", "s1", "s1"):
        await claim(store, clock, session)
        clock.ms += LEASE_MS
    (offer,) = await store.claims.offered("s3")
    assert (offer.session, offer.until_ms, offer.tries) == ("", 0, {"s1": 3, "s2": 1})
    await claim(store, clock, "s1")
    await claim(store, clock, "s1")  # a renewal is no further try
    (offer,) = await store.claims.offered("s1")
    assert (offer.session, offer.until_ms, offer.tries) == ("s1", clock.ms + LEASE_MS, {"s1": 4, "s2": 1})


async def test_a_session_that_goes_gives_back_what_it_has(store, clock):
    for id_ in ("b1", "b2"):
        await store.put_in(theirs(id_))
    await claim(store, clock, "s1")
    await claim(store, clock, "s2", theirs("b2"))
    await store.claims.release("s1")
    assert await ids(store, "s3") == ["b1"]
    (offer,) = await store.claims.offered("s3")
    assert offer.tries == {"s1": 1}


async def test_claims_outlive_the_process(store, clock):
    await store.put_in(theirs())
    await claim(store, clock, "s1")
    await store.close()
    await store.open()
    assert await ids(store, "s2") == []


async def test_what_is_settled_or_unknown_cannot_be_claimed(store, clock):
    await store.put_in(theirs())
    await store.settle("bob", "b1", "acked")
    assert await claim(store, clock, "s1", theirs(), theirs("never")) == []


async def test_claiming_gives_what_can_be_had(store, clock):
    for id_ in ("b1", "b2", "b3"):
        await store.put_in(theirs(id_))
    await claim(store, clock, "s1", theirs("b2"))
    assert await claim(store, clock, "s2", theirs("b1"), theirs("b2"), theirs("b3")) == ["b1", "b3"]


async def test_what_is_deferred_is_with_nobody_until_its_time(store, clock):
    await store.put_in(theirs())
    await claim(store, clock, "s1")
    assert await store.claims.defer("bob", "b1", NOW_MS + HOUR_MS)
    assert await ids(store, "s1") == []
    clock.ms += HOUR_MS
    assert await ids(store, "s2") == ["b1"]


async def test_what_is_settled_cannot_be_deferred(store):
    await store.put_in(theirs())
    await store.settle("bob", "b1", "acked")
    assert not await store.claims.defer("bob", "b1", NOW_MS + HOUR_MS)
    assert not await store.claims.defer("bob", "never", NOW_MS + HOUR_MS)


async def test_offers_are_the_oldest_of_the_wanted_kinds(store):
    for id_, kind in (("b1", Kind.ASK), ("b2", Kind.ANSWER), ("b3", Kind.STATE), ("b4", Kind.ASK), ("b5", Kind.ASK)):
        await store.put_in(theirs(id_, kind=kind))
    assert await ids(store) == ["b1", "b2", "b4", "b5"]
    assert await ids(store, kinds=(Kind.ANSWER,)) == ["b2"]
    assert [offer.message.id for offer in await store.claims.offered("s1", (Kind.ASK,), limit=2)] == ["b1", "b4"]


@pytest.mark.parametrize(
    ("kind", "seen"), [(Kind.ASK, False), (Kind.NOTE, False), (Kind.FOREIGN, False), (Kind.ANSWER, True)]
)
async def test_questions_of_a_muted_friend_are_shown_to_no_assistant(store, kind, seen):
    await store.ledger.set_mode("bob", Mode.MUTE)
    await store.put_in(theirs(kind=kind))
    assert bool(await ids(store)) is seen
    assert len(await store.inbox()) == 1  # the owner sees it


async def test_what_has_a_draft_is_offered_to_nobody_until_that_is_dropped(store, clock):
    await store.put_in(theirs())
    await claim(store, clock, "s1")
    await store.drafts.hold(our_answer(), "mode")
    assert await ids(store, "s1") == []
    await store.drafts.drop("a9")
    assert await ids(store, "s2") == ["b1"]


async def test_what_nobody_settled_in_time_is_offered_no_more_and_returned_once(store, clock):
    await store.put_in(theirs("b1", expires_ms=NOW_MS + HOUR_MS))
    await store.put_in(theirs("b2"))
    await store.put_in(theirs("b3", kind=Kind.ANSWER, expires_ms=NOW_MS + HOUR_MS))
    await store.drafts.hold(our_answer(), "mode")
    assert await store.claims.expire() == []
    clock.ms += HOUR_MS
    assert await ids(store) == ["b2", "b3"]
    assert [one.id for one in await store.claims.expire()] == ["b1"]
    assert await store.claims.expire() == []
    assert (await store.incoming("bob", "b1")).settled == "expired"
    assert (await store.out("a9")).state is State.EXPIRED


async def test_a_draft_that_runs_out_is_over(store, clock):
    await store.drafts.hold(ours(expires_ms=NOW_MS + HOUR_MS), "scan")
    clock.ms += HOUR_MS
    await store.claims.expire()
    assert await store.drafts.held() == []
    assert (await store.out("a1")).state is State.EXPIRED


async def test_the_next_change_is_the_soonest_of_all_that_run(store, clock):
    assert await store.claims.next_change_ms() == 0
    await store.put_in(theirs("b1", expires_ms=NOW_MS + 5 * HOUR_MS))
    assert await store.claims.next_change_ms() == NOW_MS + 5 * HOUR_MS
    await store.drafts.hold(ours(expires_ms=NOW_MS + 4 * HOUR_MS), "scan")
    assert await store.claims.next_change_ms() == NOW_MS + 4 * HOUR_MS
    await store.claims.defer("bob", "b1", NOW_MS + 3 * HOUR_MS)
    assert await store.claims.next_change_ms() == NOW_MS + 3 * HOUR_MS
    await store.put_in(theirs("b2"))
    await claim(store, clock, "s1", theirs("b2"))
    assert await store.claims.next_change_ms() == NOW_MS + LEASE_MS
    clock.ms += 10 * HOUR_MS
    assert await store.claims.next_change_ms() == 0
