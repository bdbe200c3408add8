"""Looking back, and the retention that keeps the record small (CLI-18)."""

import pytest

from magi.client.model import Kind, Trace
from magi.client.states import State
from magi.desk.ports import LEASE_MS, Counts, Mode
from magi.desk.store import SqliteStore
from tests.harness.desks import DAY_MS, HOUR_MS, NOW_MS, our_answer, ours, theirs


async def found(store, who="", **options):
    return [one.id for one in await store.record.history(who, **options)]


# --- history ---------------------------------------------------------------------------------------------------------


async def test_history_is_both_ways_by_time_newest_last(store):
    await store.put_out(ours("a1", made_ms=NOW_MS + 1))
    await store.put_in(theirs("b1", received_ms=NOW_MS + 2))
    await store.put_in(theirs("b2", received_ms=NOW_MS))
    await store.put_out(ours("a2", to="carol", made_ms=NOW_MS + 2))
    await store.put_in(theirs("b3", kind=Kind.STATE, text="seen"))
    assert await found(store) == ["b2", "a1", "b1", "a2"]
    assert await found(store, "bob") == ["b2", "a1", "b1"]
    assert await found(store, limit=2) == ["b1", "a2"]
    assert await found(store, limit=0) == []


@pytest.mark.parametrize(
    ("search", "expected"),
    [("100%", ["b1"]), ("a_b", ["b2"]), ("\\", ["b3"]), ("MILK", ["b4"]), ("%", ["b1"]), ("_", ["b2"]), ("'", [])],
)
async def test_search_takes_every_character_for_itself(store, search, expected):
    for number, text in enumerate(("100% sure", "a_b", "back\\slash", "more milk", "axb 1000"), 1):
        await store.put_in(theirs(f"b{number}", text=text))
    assert await found(store, search=search) == expected


async def test_a_thread_is_all_that_was_said_in_it(store):
    await store.put_in(theirs("b1", thread="t1"))
    await store.put_out(our_answer(thread="t1", made_ms=NOW_MS + 1))
    await store.put_in(theirs("b2", thread="t2"))
    assert [one.id for one in await store.record.thread("t1")] == ["b1", "a9"]
    assert [one.id for one in await store.record.thread("t1", limit=1)] == ["a9"]


async def test_messages_are_found_by_how_their_ids_start(store):
    for id_ in ("abc1", "abc2", "abd", "ABC", "a%"):
        await store.put_in(theirs(id_))
        await store.put_out(ours(id_))
    assert [one.id for one in await store.record.starting_in("abc")] == ["abc2", "abc1"]
    assert [one.id for one in await store.record.starting_out("abc1")] == ["abc1"]
    assert [one.id for one in await store.record.starting_in("a%")] == ["a%"]
    assert not await store.record.starting_in("")
    assert not await store.record.starting_out("")


# --- counts ----------------------------------------------------------------------------------------------------------


async def test_the_same_text_to_the_same_friend_is_known(store):
    await store.put_out(ours(text="Tea?"))
    await store.put_out(our_answer(text="Yes."))
    said = store.record.said
    assert await said("bob", "Tea?", since_ms=NOW_MS)
    assert not await said("bob", "Tea?", since_ms=NOW_MS + 1)
    assert not await said("carol", "Tea?", since_ms=NOW_MS)
    assert not await said("bob", "tea?", since_ms=NOW_MS)
    assert not await said("bob", "Yes.", since_ms=NOW_MS)


@pytest.mark.parametrize("state", [State.FAILED, State.WITHDRAWN])
async def test_what_came_to_nothing_may_be_said_again(store, state):
    await store.put_out(ours("a1", text="Tea?"))
    await store.advance("a1", state)
    assert not await store.record.said("bob", "Tea?", since_ms=NOW_MS)
    await store.put_out(ours("a2", text="Tea?"))
    assert await store.record.said("bob", "Tea?", since_ms=NOW_MS)


async def test_asks_count_until_their_state_is_final(store):
    for number in range(3):
        await store.put_out(ours(f"a{number}"))
    await store.put_out(ours("a7", kind=Kind.NOTE))
    await store.put_out(ours("a8", to="carol"))
    await store.advance("a0", State.FAILED)
    await store.advance("a1", State.DELIVERED)
    assert await store.record.open_count("bob") == 2


async def test_what_waits_is_counted_as_it_is_offered(store, clock):
    kinds = (Kind.ASK, Kind.NOTE, Kind.FOREIGN, Kind.ANSWER, Kind.DECLINE, Kind.NOTICE, Kind.STATE)
    for number, kind in enumerate(kinds):
        await store.put_in(theirs(f"b{number}", kind=kind))
    await store.put_in(theirs("c1", sender="carol"))
    await store.put_in(theirs("d1", sender="dave"))
    await store.ledger.set_mode("dave", Mode.MUTE)
    await store.put_in(theirs("b9"))
    await store.drafts.hold(our_answer(to="b9"), "mode")
    assert await store.record.waiting() == Counts({"bob": 3, "carol": 1}, answers=2, notices=1, held=1)
    await store.claims.claim([theirs("c1", sender="carol")], "s1", NOW_MS + LEASE_MS)
    assert (await store.record.waiting()).questions == {"bob": 3}
    assert (await store.record.waiting("s1")).questions == {"bob": 3, "carol": 1}


async def test_nothing_waits_in_an_empty_store(store):
    assert await store.record.waiting() == Counts()


async def test_a_store_is_full_of_what_is_open_and_not_of_what_is_settled(tmp_path, clock):
    store = SqliteStore(tmp_path / "small.db", now_ms=clock, inbox_bytes=2000)
    await store.open()
    try:
        await store.put_in(theirs("b1", text="x" * 1000))
        assert not await store.record.full()
        await store.put_in(theirs("b2"))
        assert await store.record.full()
        await store.settle("bob", "b1", "acked")
        assert not await store.record.full()
    finally:
        await store.close()


# --- retention -------------------------------------------------------------------------------------------------------


async def test_messages_go_after_30_days_and_may_then_come_again(store, clock):
    await store.put_in(theirs())
    await store.put_out(our_answer(trace=Trace("t")))
    clock.ms += 30 * DAY_MS
    assert not await store.put_in(theirs())
    await store.advance("a9", State.DELIVERED)
    assert await store.record.tidy() == 0
    clock.ms += 1
    assert await store.record.tidy() == 2
    assert await found(store) == []
    assert await store.put_in(theirs())


async def test_the_audit_stays_for_180_days(store, clock):
    await store.put_out(ours())
    await store.advance("a1", State.FAILED)
    clock.ms += 180 * DAY_MS
    await store.record.tidy()
    assert [(row.text, row.state) for row in await store.audit.left()] == [("Tea?", None)]
    clock.ms += 1
    await store.record.tidy()
    assert await store.audit.left() == []


@pytest.mark.parametrize(
    ("state", "expires_ms", "stays"),
    [
        (State.PENDING, NOW_MS, True),
        (State.HELD_HERE, NOW_MS, True),
        (State.DELIVERED, NOW_MS + 40 * DAY_MS, True),
        (State.DELIVERED, NOW_MS + DAY_MS, False),
        (State.FAILED, NOW_MS + 40 * DAY_MS, False),
    ],
)
async def test_what_may_still_leave_or_be_answered_stays(store, clock, state, expires_ms, stays):
    await store.put_out(ours(state=state, expires_ms=expires_ms))
    clock.ms += 31 * DAY_MS
    await store.record.tidy()
    assert (await store.out("a1") is not None) is stays


async def test_what_was_allowed_but_never_put_goes_after_a_day(store, clock):
    await store.audit.permit("a1", by="owner", how="")
    await store.ledger.allow("bob", NOW_MS + HOUR_MS)
    clock.ms += DAY_MS + 1
    assert await store.record.tidy() == 2


async def test_claims_go_with_their_messages(store, clock):
    await store.put_in(theirs())
    await store.claims.claim([theirs()], "s1", NOW_MS + LEASE_MS)
    clock.ms += 31 * DAY_MS
    assert await store.record.tidy() == 2
    assert await store.record.tidy() == 0
