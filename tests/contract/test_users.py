"""What ``Users`` promises."""

import asyncio
from dataclasses import replace

import pytest

from exchange.core.model import Link, Presence, Standing
from exchange.ports import Condition, Opened, PutWord, Store

LONG_MS = 60_000


def session(sid: str = "s1", *, uid: str = "ada", node: str = "n1") -> Presence:
    return Presence(sid, uid, f"{uid}@example.com", node, "magi", "198.51.100.7")


def link(peer: str, connection: str = "") -> Link:
    return Link(peer, connection or f"c-{peer}", f"{peer}@example.com", peer.title())


async def befriended(store: Store, *peers: str, uid: str = "ada") -> list[Link]:
    return [(await store.links.put(uid, link(peer))).link for peer in peers]


def connections(links: tuple[Link, ...]) -> dict[str, str]:
    return {link.peer: link.connection for link in links}


def by_age(links: tuple[Link, ...]) -> list[str]:
    return [link.peer for link in sorted(links, key=lambda link: link.made)]


async def test_a_first_session_finds_an_empty_table(store: Store) -> None:
    opened = await store.users.open(session(), "Ada")
    assert opened.generation > 0
    assert opened == Opened(opened.generation, 0, (), frozenset(), frozenset())


async def test_generations_grow_with_every_session(stores: tuple[Store, Store]) -> None:
    generations = [(await stores[i % 2].users.open(session(f"s{i}"), "Ada")).generation for i in range(6)]
    for i in range(6):
        await stores[0].users.close("ada", f"s{i}", grace_ms=0)
    generations.append((await stores[0].users.open(session("s9"), "Ada")).generation)
    assert generations == sorted(set(generations))


async def test_opening_again_is_a_repeat_and_gets_the_same_answer(store: Store) -> None:
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "bob", "eve")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.links.set_aside("ada", link("kim"), keep_ms=LONG_MS)
    first = await store.users.open(session("s2"), "Ada")
    await store.users.open(session("s3"), "Ada")
    assert first.restored == {"bob", "eve", "kim"}
    again = await store.users.open(session("s2"), "Ada")
    assert again == replace(first, links=again.links)
    assert set(again.links) == set(first.links)
    assert (await store.users.standing("ada")).sessions_count == 2


async def test_a_session_that_goes_on_at_another_node_gets_a_new_generation(store: Store) -> None:
    first = await store.users.open(session("s1", node="n1"), "Ada")
    second = await store.users.open(session("s1", node="n2"), "Ada")
    assert second.generation > first.generation
    assert (await store.users.standing("ada")).sessions_count == 1


async def test_a_session_beside_another_sees_the_table_as_it_stands(stores: tuple[Store, Store]) -> None:
    await stores[0].users.open(session("s1"), "Ada")
    links = await befriended(stores[0], "bob", "eve")
    opened = await stores[1].users.open(session("s2"), "Ada")
    assert (opened.rev, set(opened.links), opened.restored) == (2, set(links), frozenset())


async def test_the_last_close_ends_all_links_and_returns_them(store: Store) -> None:
    await store.users.open(session(), "Ada")
    links = await befriended(store, "bob", "eve")
    ended = await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert set(ended) == set(links)
    rev, table = await store.links.table("ada")
    assert table == ()
    assert rev == 3


async def test_a_close_beside_another_session_ends_nothing(store: Store) -> None:
    for sid in ("s1", "s2"):
        await store.users.open(session(sid), "Ada")
    links = await befriended(store, "bob")
    assert await store.users.close("ada", "s1", grace_ms=0) == ()
    assert await store.links.table("ada") == (1, tuple(links))
    assert await store.users.close("ada", "s1", grace_ms=0) == ()
    assert await store.links.table("ada") == (1, tuple(links))


async def test_of_simultaneous_closes_only_the_last_one_ends_links(stores: tuple[Store, Store]) -> None:
    for i in range(20):
        await stores[0].users.open(session(f"s{i}"), "Ada")
    links = await befriended(stores[0], "bob")
    closed = await asyncio.gather(*(stores[i % 2].users.close("ada", f"s{i}", grace_ms=0) for i in range(20)))
    assert sorted(closed, key=len)[-2:] == [(), tuple(links)]


async def test_a_repeated_close_returns_the_same_links(store: Store) -> None:
    await store.users.open(session(), "Ada")
    await befriended(store, "bob", "eve")
    ended = await store.users.close("ada", "s1", grace_ms=0)
    again = await store.users.close("ada", "s1", grace_ms=0)
    assert len(ended) == 2
    assert set(again) == set(ended)


async def test_a_repeated_close_does_not_return_what_was_brought_back(store: Store) -> None:
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "bob", "eve")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.users.open(session("s2"), "Ada")
    assert await store.users.close("ada", "s1", grace_ms=LONG_MS) == ()
    await store.links.end("ada", "bob", "c-bob")
    await store.links.put("ada", link("bob", "another"))
    assert connections(await store.users.close("ada", "s1", grace_ms=LONG_MS)) == {"bob": "c-bob"}
    assert connections((await store.links.table("ada"))[1]) == {"bob": "another", "eve": "c-eve"}


async def test_a_session_that_was_never_there_closes_nothing(store: Store) -> None:
    assert await store.users.close("ada", "s1", grace_ms=LONG_MS) == ()
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "bob")
    assert await store.users.close("ada", "s2", grace_ms=LONG_MS) == ()
    assert (await store.users.standing("ada")).sessions_count == 1
    assert len((await store.links.table("ada"))[1]) == 1
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert await store.users.close("ada", "s2", grace_ms=LONG_MS) == ()


async def test_a_quick_reconnect_brings_the_links_back_in_their_order_and_as_made_now(store: Store) -> None:
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "zoe", "bob", "eve")
    await befriended(store, "zoe")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    opened = await store.users.open(session("s2"), "Ada")
    assert connections(opened.links) == {"zoe": "c-zoe", "bob": "c-bob", "eve": "c-eve"}
    assert by_age(opened.links) == ["bob", "eve", "zoe"]
    assert min(link.made for link in opened.links) > 4
    assert max(link.made for link in opened.links) == opened.rev
    assert opened.restored == {"zoe", "bob", "eve"}
    assert opened.waiting == frozenset()
    rev, table = await store.links.table("ada")
    assert (rev, set(table)) == (opened.rev, set(opened.links))


async def test_links_are_brought_back_once(store: Store) -> None:
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "bob")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.users.open(session("s2"), "Ada")
    assert (await store.users.open(session("s3"), "Ada")).restored == frozenset()


async def test_without_grace_links_do_not_come_back(store: Store) -> None:
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "bob")
    await store.users.close("ada", "s1", grace_ms=0)
    opened = await store.users.open(session("s2"), "Ada")
    assert (opened.links, opened.restored) == ((), frozenset())


async def test_links_do_not_come_back_after_the_grace(store: Store, pass_time) -> None:
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "bob")
    await store.users.close("ada", "s1", grace_ms=40)
    await store.links.set_aside("ada", link("kim"), keep_ms=LONG_MS)
    await pass_time(50)
    opened = await store.users.open(session("s2"), "Ada")
    assert connections(opened.links) == {"kim": "c-kim"}


async def test_an_invitation_redeemed_meanwhile_waits_and_is_the_most_recent(store: Store) -> None:
    await store.users.open(session("s1"), "Ada")
    await befriended(store, "bob", "zoe")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.links.set_aside("ada", link("abe"), keep_ms=LONG_MS)
    opened = await store.users.open(session("s2"), "Ada")
    assert opened.waiting == {"abe"}
    assert opened.restored == {"abe", "bob", "zoe"}
    assert by_age(opened.links) == ["bob", "zoe", "abe"]


async def test_a_link_that_stands_is_not_replaced_by_one_that_was_kept(store: Store) -> None:
    await store.links.put("ada", link("bob", "stands"))
    await store.links.set_aside("ada", link("bob", "kept"), keep_ms=LONG_MS)
    opened = await store.users.open(session(), "Ada")
    assert connections(opened.links) == {"bob": "stands"}
    assert opened.restored == frozenset()


async def test_a_user_nobody_knows_has_no_standing(store: Store) -> None:
    assert await store.users.standing("ada") is None


async def test_standing_follows_sessions(stores: tuple[Store, Store], pass_time) -> None:
    await stores[0].users.open(session("s1"), "Ada")
    assert await stores[1].users.standing("ada") == Standing("ada@example.com", "Ada", 1, 0)
    await stores[1].users.open(session("s2", node="n2"), "Ada L")
    assert await stores[0].users.standing("ada") == Standing("ada@example.com", "Ada L", 2, 0)
    await stores[0].users.close("ada", "s1", grace_ms=0)
    assert await stores[1].users.standing("ada") == Standing("ada@example.com", "Ada L", 1, 0)
    await stores[1].users.close("ada", "s2", grace_ms=0)
    left = await stores[0].users.standing("ada")
    assert left.sessions_count == 0
    assert left.joinable(left.left_ms + 4999, 5000)
    assert not left.joinable(left.left_ms + 5000, 5000)
    await pass_time(10)
    await stores[0].users.close("ada", "s2", grace_ms=0)
    assert await stores[0].users.standing("ada") == left
    await stores[0].users.open(session("s3"), "Ada")
    assert await stores[0].users.standing("ada") == Standing("ada@example.com", "Ada", 1, 0)


async def test_a_renamed_user_stands_under_the_new_names(stores: tuple[Store, Store]) -> None:
    await stores[0].users.open(session(), "Ada")
    await stores[0].users.rename("ada", "lovelace", "Countess")
    assert await stores[1].users.standing("ada") == Standing("lovelace", "Countess", 1, 0)


@pytest.mark.parametrize("linked", [False, True])
async def test_renaming_somebody_unknown_leaves_nothing(store: Store, linked: bool) -> None:
    if linked:
        await store.links.put("ada", link("bob"))
    await store.users.rename("ada", "lovelace", "Countess")
    assert await store.users.standing("ada") is None


async def test_nobody_is_here_after_the_last_close(store: Store) -> None:
    await store.users.open(session(), "Ada")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    put = await store.links.put("ada", link("bob"), condition=Condition.HERE)
    assert put.word is PutWord.ABSENT
