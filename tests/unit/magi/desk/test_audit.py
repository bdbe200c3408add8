"""One row for everything that left (CLI-36)."""

from magi.client.model import Kind, Origin
from magi.client.states import State
from tests.harness.desks import DAY_MS, NOW_MS, our_answer, ours


async def test_a_row_says_everything_about_what_left(store, clock):
    await store.audit.permit("a1", by="mode", how="auto")
    clock.ms += 3
    await store.put_out(ours(origin=Origin.MODEL))
    await store.advance("a1", State.DELIVERED)
    (row,) = await store.audit.left()
    assert (row.id, row.at_ms, row.to, row.kind, row.text) == ("a1", NOW_MS + 3, "bob", Kind.ASK, "Tea?")
    assert (row.origin, row.by, row.how, row.state) == (Origin.MODEL, "mode", "auto", State.DELIVERED)


async def test_a_permission_alone_is_no_row(store):
    await store.audit.permit("a1", by="owner", how="x")
    assert await store.audit.left() == []
    assert await store.audit.count("", Kind.ASK) == 0


async def test_what_nobody_allowed_is_in_it_too(store):
    await store.put_out(ours())
    assert [(row.id, row.by, row.how) for row in await store.audit.left()] == [("a1", "", "")]


async def test_a_later_permission_does_not_rewrite_what_left(store):
    await store.audit.permit("a1", by="owner", how="first")
    await store.audit.permit("a1", by="owner", how="second")
    await store.put_out(ours())
    await store.audit.permit("a1", by="responder", how="third")
    assert [(row.by, row.how) for row in await store.audit.left()] == [("owner", "second")]


async def test_rows_are_the_newest_with_the_oldest_first(store, clock):
    for number in range(5):
        clock.ms += 1
        await store.put_out(ours(f"a{number}", to="bob" if number % 2 else "carol"))
    assert [row.id for row in await store.audit.left(limit=3)] == ["a2", "a3", "a4"]
    assert [row.id for row in await store.audit.left(to="bob")] == ["a1", "a3"]
    assert [row.id for row in await store.audit.left(since_ms=NOW_MS + 4)] == ["a3", "a4"]


async def test_answers_are_counted_by_friend_by_who_allowed_them_and_by_time(store, clock):
    for number, by in enumerate(("responder", "responder", "owner")):
        await store.audit.permit(f"a{number}", by=by, how="")
        await store.put_out(our_answer(f"a{number}", f"b{number}"))
        clock.ms += DAY_MS
    await store.put_out(ours("a7"))
    count = store.audit.count
    assert await count("bob", Kind.ANSWER) == 3
    assert await count("bob", Kind.ANSWER, by="responder") == 2
    assert await count("bob", Kind.ANSWER, by="responder", since_ms=NOW_MS + 1) == 1
    assert await count("bob", Kind.ASK) == 1
    assert await count("carol", Kind.ANSWER) == 0
