"""What ``Links`` promises."""

import asyncio
from dataclasses import replace

import pytest

from exchange.core.model import Link, Presence
from exchange.core.wakes import Linked, Unlinked, Wake
from exchange.ports import Condition, Notice, Put, PutWord, Store
from tests.harness.waiting import eventually

LONG_MS = 60_000
BOB = Link("bob", "c1", "bob@example.com", "Bob 🦀")
EVE = Link("eve", "c2", "eve@example.com", "Eve")


class Ear:
    """Keeps what a node is told of one user."""

    def __init__(self) -> None:
        self.heard: list[Wake] = []

    def woken(self, uid: str, wake: Wake, size_bytes: int) -> None:
        assert uid == "ada"
        self.heard.append(wake)

    def gap(self) -> None:
        raise AssertionError("no connection broke")


@pytest.fixture
async def ear(stores: tuple[Store, Store]) -> Ear:
    """The other node listens for the user."""
    ear = Ear()
    stores[1].wakes.attend(ear)
    await stores[1].wakes.listen("ada")
    return ear


async def all_heard(store: Store, ear: Ear) -> list[Wake]:
    """Return what was heard until now: a last change of another table marks the end."""
    mark = Link("mark", "mark", "mark", "mark")
    await store.links.put("ada", mark, notice=Notice.QUIET)
    await eventually(lambda: ear.heard and ear.heard[-1].peer == "mark")
    return ear.heard[:-1]


async def here(store: Store, sid: str = "s1") -> None:
    await store.users.open(Presence(sid, "ada", "ada@example.com", "n1", "magi", ""), "Ada")


async def away(store: Store, sid: str = "s1", *, grace_ms: int = LONG_MS) -> None:
    await store.users.close("ada", sid, grace_ms=grace_ms)


async def restored(store: Store) -> dict[str, str]:
    """Return who a new session of the user brings back, and under which connection."""
    opened = await store.users.open(Presence("s9", "ada", "ada@example.com", "n1", "magi", ""), "Ada")
    return {link.peer: link.connection for link in opened.links if link.peer in opened.restored}


async def test_a_user_nobody_knows_has_an_empty_table(store: Store) -> None:
    assert await store.links.table("ada") == (0, ())


async def test_a_new_link_is_added_at_the_next_revision(stores: tuple[Store, Store]) -> None:
    assert await stores[0].links.put("ada", BOB) == Put(PutWord.ADDED, replace(BOB, made=1), rev=1, prev=0)
    assert await stores[0].links.put("ada", EVE) == Put(PutWord.ADDED, replace(EVE, made=2), rev=2, prev=1)
    rev, table = await stores[1].links.table("ada")
    assert (rev, set(table)) == (2, {replace(BOB, made=1), replace(EVE, made=2)})


async def test_a_link_with_the_same_peer_keeps_its_connection_and_becomes_the_most_recent(store: Store) -> None:
    await store.links.put("ada", BOB)
    await store.links.put("ada", EVE)
    again = await store.links.put("ada", replace(BOB, connection="c9", nick="Robert", waiting=True))
    kept = replace(BOB, nick="Robert", waiting=True, made=3)
    assert again == Put(PutWord.KEPT, kept, rev=3, prev=2)
    assert set((await store.links.table("ada"))[1]) == {replace(EVE, made=2), kept}


async def test_tables_of_two_users_do_not_touch(store: Store) -> None:
    await store.links.put("ada", BOB)
    await store.links.put("zoe", EVE)
    assert await store.links.table("ada") == (1, (replace(BOB, made=1),))
    assert await store.links.table("zoe") == (1, (replace(EVE, made=1),))


async def test_of_fifty_simultaneous_links_with_one_peer_one_is_added(stores: tuple[Store, Store]) -> None:
    puts = await asyncio.gather(
        *(stores[i % 2].links.put("ada", replace(BOB, connection=f"c{i}")) for i in range(50)),
    )
    assert sum(put.word is PutWord.ADDED for put in puts) == 1
    assert len({put.link.connection for put in puts}) == 1
    assert sorted((put.prev, put.rev) for put in puts) == [(i, i + 1) for i in range(50)]


async def test_a_table_and_its_revision_are_of_one_moment(stores: tuple[Store, Store]) -> None:
    writes = asyncio.gather(*(stores[0].links.put("ada", replace(BOB, peer=f"p{i}")) for i in range(100)))
    seen = set()
    while not writes.done():
        rev, table = await stores[1].links.table("ada")
        assert len(table) == rev
        seen.add(rev)
    await writes
    assert (await stores[1].links.table("ada"))[0] == 100


async def test_a_link_for_somebody_here_is_not_written_when_nobody_is(store: Store, ear: Ear) -> None:
    put = await store.links.put("ada", BOB, notice=Notice.ANNOUNCE, condition=Condition.HERE)
    assert put == Put(PutWord.ABSENT, BOB, rev=0, prev=0)
    assert await store.links.table("ada") == (0, ())
    assert await all_heard(store, ear) == []


async def test_a_link_for_somebody_here_is_written(store: Store) -> None:
    await here(store)
    assert (await store.links.put("ada", BOB, condition=Condition.HERE)).word is PutWord.ADDED
    assert (await store.links.put("ada", BOB, condition=Condition.HERE)).word is PutWord.KEPT


async def test_a_change_of_a_link_changes_names_and_waiting_only(store: Store) -> None:
    await store.links.put("ada", BOB)
    await store.links.put("ada", EVE)
    changed = replace(BOB, name="robert@example.com", nick="Robert", waiting=True, made=77)
    put = await store.links.put("ada", changed, condition=Condition.LINKED)
    assert put == Put(PutWord.KEPT, replace(changed, made=1), rev=3, prev=2)
    assert replace(changed, made=1) in (await store.links.table("ada"))[1]


async def test_a_change_of_another_connection_or_of_none_is_not_written(store: Store, ear: Ear) -> None:
    await store.links.put("ada", EVE)
    for link in (BOB, replace(EVE, connection="c9")):
        put = await store.links.put("ada", link, notice=Notice.ANNOUNCE, condition=Condition.LINKED)
        assert put == Put(PutWord.ABSENT, link, rev=1, prev=1)
    assert await store.links.table("ada") == (1, (replace(EVE, made=1),))
    assert await all_heard(store, ear) == []


async def test_notice_is_given_as_asked_and_in_order(store: Store, ear: Ear) -> None:
    await store.links.put("ada", BOB, notice=Notice.ANNOUNCE)
    await store.links.put("ada", EVE, notice=Notice.NONE)
    await store.links.put("ada", replace(BOB, nick="B", waiting=True), notice=Notice.QUIET, condition=Condition.LINKED)
    await store.links.put("ada", replace(BOB, connection="c9"), notice=Notice.ANNOUNCE)
    await store.links.end("ada", "bob", "c1")
    assert await all_heard(store, ear) == [
        Linked(1, 0, True, "bob", "c1", "bob@example.com", "Bob 🦀", 1, False),
        Linked(3, 2, False, "bob", "c1", "bob@example.com", "B", 1, True),
        Linked(4, 3, True, "bob", "c1", "bob@example.com", "Bob 🦀", 4, False),
        Unlinked(5, 4, "bob", "c1"),
    ]


async def test_whoever_is_woken_finds_the_change(stores: tuple[Store, Store], ear: Ear) -> None:
    await stores[0].links.put("ada", BOB, notice=Notice.ANNOUNCE)
    await eventually(lambda: len(ear.heard) == 1)
    assert (await stores[1].links.table("ada"))[0] == ear.heard[0].rev


async def test_an_ended_link_is_gone_and_its_end_told_once(store: Store, ear: Ear) -> None:
    await store.links.put("ada", BOB)
    await store.links.put("ada", EVE)
    assert [await store.links.end("ada", "bob", "c1") for _ in range(2)] == [True, False]
    assert await store.links.table("ada") == (3, (replace(EVE, made=2),))
    assert await all_heard(store, ear) == [Unlinked(3, 2, "bob", "c1")]


async def test_of_fifty_who_end_a_link_exactly_one_is_told_so(stores: tuple[Store, Store], ear: Ear) -> None:
    await stores[0].links.put("ada", BOB)
    ended = await asyncio.gather(*(stores[i % 2].links.end("ada", "bob", "c1") for i in range(50)))
    assert ended.count(True) == 1
    assert await all_heard(stores[0], ear) == [Unlinked(2, 1, "bob", "c1")]


async def test_another_connection_is_not_ended(store: Store, ear: Ear) -> None:
    await store.links.put("ada", BOB)
    assert not await store.links.end("ada", "bob", "c9")
    assert not await store.links.end("ada", "eve", "c1")
    assert await store.links.table("ada") == (1, (replace(BOB, made=1),))
    assert await all_heard(store, ear) == []


async def test_an_ended_link_can_be_kept_for_a_quick_reconnect(store: Store) -> None:
    await here(store)
    await store.links.put("ada", BOB)
    await store.links.put("ada", EVE)
    assert await store.links.end("ada", "bob", "c1", keep_ms=LONG_MS)
    assert await store.links.end("ada", "eve", "c2")
    await away(store)
    assert await restored(store) == {"bob": "c1"}


async def test_a_kept_link_runs_out(store: Store, pass_time) -> None:
    await here(store)
    await store.links.put("ada", BOB)
    await store.links.put("ada", EVE)
    await store.links.end("ada", "bob", "c1", keep_ms=40)
    await store.links.end("ada", "eve", "c2", keep_ms=LONG_MS)
    await away(store)
    await pass_time(50)
    assert await restored(store) == {"eve": "c2"}


async def test_what_was_kept_for_a_peer_is_forgotten_when_there_is_a_new_link(store: Store) -> None:
    await here(store)
    await store.links.put("ada", BOB)
    await store.links.end("ada", "bob", "c1", keep_ms=LONG_MS)
    await store.links.put("ada", replace(BOB, connection="c9"))
    await store.links.end("ada", "bob", "c9")
    await away(store)
    assert await restored(store) == {}


async def test_a_link_kept_for_a_quick_reconnect_survives_an_end_that_comes_late(store: Store) -> None:
    await here(store)
    await store.links.put("ada", BOB)
    await away(store)
    # Both friends left at once: each node ends the other side, after that side was set aside by its own close.
    assert not await store.links.end("ada", "bob", "c1")
    assert await restored(store) == {"bob": "c1"}


async def test_a_link_set_aside_comes_with_the_next_session(stores: tuple[Store, Store]) -> None:
    await here(stores[0])
    await away(stores[0])
    await stores[1].links.set_aside("ada", replace(BOB, waiting=True), keep_ms=LONG_MS)
    assert await stores[0].links.table("ada") == (0, ())
    assert await restored(stores[0]) == {"bob": "c1"}
    assert await stores[0].links.table("ada") == (1, (replace(BOB, waiting=True, made=1),))


async def test_a_link_set_aside_replaces_an_older_one_with_the_peer(store: Store) -> None:
    await here(store)
    await store.links.put("ada", BOB)
    await away(store)
    await store.links.set_aside("ada", replace(BOB, connection="c9"), keep_ms=LONG_MS)
    assert await restored(store) == {"bob": "c9"}


async def test_a_link_set_aside_runs_out(store: Store, pass_time) -> None:
    await store.links.set_aside("ada", BOB, keep_ms=40)
    await pass_time(50)
    assert await restored(store) == {}


async def test_a_link_that_was_only_set_aside_is_forgotten_without_notice(store: Store, ear: Ear) -> None:
    await store.links.set_aside("ada", BOB, keep_ms=LONG_MS)
    await store.links.set_aside("ada", EVE, keep_ms=LONG_MS)
    assert not await store.links.end("ada", "bob", "c1")
    assert not await store.links.end("ada", "eve", "another")
    assert await restored(store) == {"eve": "c2"}
    assert await all_heard(store, ear) == []
