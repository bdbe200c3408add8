"""What ``Users`` promises."""

import asyncio
from dataclasses import replace

import pytest

from exchange.core.features import OFFLINE, PERSIST, RESUME
from exchange.core.model import Envelope, Kind, Link, MailState, Presence, Profile, Standing
from exchange.core.wakes import Replaced, Wake
from exchange.ports import Closed, Condition, Notice, Opened, PutWord, Store, StoredWord
from tests.harness.waiting import eventually

LONG_MS = 60_000
NEWEST = 1 << 52
"""A generation that no session reaches."""
ADA = Profile("ada@example.com", "Ada")
ADA_L = Profile("ada@example.com", "Ada L")
EXTENDED = Profile(
    "ada@example.com", "Ada", frozenset({RESUME, PERSIST, OFFLINE}), "working", ("vision", "two\nlines", "")
)


def session(sid: str = "s1", *, uid: str = "ada", node: str = "n1") -> Presence:
    return Presence(sid, uid, f"{uid}@example.com", node, "magi", "198.51.100.7")


def link(peer: str, connection: str = "", *, persist: bool = False) -> Link:
    return Link(peer, connection or f"c-{peer}", f"{peer}@example.com", peer.title(), persist=persist)


async def befriended(store: Store, *peers: str, uid: str = "ada", persist: bool = False) -> list[Link]:
    return [(await store.links.put(uid, link(peer, persist=persist))).link for peer in peers]


def connections(links: tuple[Link, ...]) -> dict[str, str]:
    return {link.peer: link.connection for link in links}


def by_age(links: tuple[Link, ...]) -> list[str]:
    return [link.peer for link in sorted(links, key=lambda link: link.made)]


async def test_a_first_session_finds_an_empty_table(store: Store) -> None:
    opened = await store.users.open(session(), ADA)
    assert opened.generation > 0
    assert opened == Opened(opened.generation, 0, (), frozenset(), frozenset(), MailState())


async def test_generations_grow_with_every_session(stores: tuple[Store, Store]) -> None:
    generations = [(await stores[i % 2].users.open(session(f"s{i}"), ADA)).generation for i in range(6)]
    for i in range(6):
        await stores[0].users.close("ada", f"s{i}", grace_ms=0)
    generations.append((await stores[0].users.open(session("s9"), ADA)).generation)
    assert generations == sorted(set(generations))


async def test_opening_again_is_a_repeat_and_gets_the_same_answer(store: Store) -> None:
    await store.users.open(session("s1"), ADA)
    await befriended(store, "bob", "eve")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.links.set_aside("ada", link("kim"), keep_ms=LONG_MS)
    first = await store.users.open(session("s2"), ADA)
    await store.users.open(session("s3"), ADA)
    assert first.restored == {"bob", "eve", "kim"}
    again = await store.users.open(session("s2"), ADA)
    assert again == replace(first, links=again.links)
    assert set(again.links) == set(first.links)
    assert (await store.users.standing("ada")).sessions_count == 2


async def test_a_session_that_goes_on_at_another_node_gets_a_new_generation(store: Store) -> None:
    first = await store.users.open(session("s1", node="n1"), ADA)
    second = await store.users.open(session("s1", node="n2"), ADA)
    assert second.generation > first.generation
    assert (await store.users.standing("ada")).sessions_count == 1


async def test_a_session_beside_another_sees_the_table_as_it_stands(stores: tuple[Store, Store]) -> None:
    await stores[0].users.open(session("s1"), ADA)
    links = await befriended(stores[0], "bob", "eve")
    opened = await stores[1].users.open(session("s2"), ADA)
    assert (opened.rev, set(opened.links), opened.restored) == (2, set(links), frozenset())


async def test_the_last_close_ends_all_links_and_returns_them(store: Store) -> None:
    await store.users.open(session(), ADA)
    links = await befriended(store, "bob", "eve")
    closed = await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert set(closed.ended) == set(links)
    assert closed == Closed(closed.ended, stamp=closed.stamp)
    rev, table = await store.links.table("ada")
    assert table == ()
    assert rev == 3


async def test_a_close_beside_another_session_ends_nothing(store: Store) -> None:
    for sid in ("s1", "s2"):
        await store.users.open(session(sid), ADA)
    links = await befriended(store, "bob")
    assert await store.users.close("ada", "s1", grace_ms=0) == Closed()
    assert await store.links.table("ada") == (1, tuple(links))
    assert await store.users.close("ada", "s1", grace_ms=0) == Closed()
    assert await store.links.table("ada") == (1, tuple(links))


async def test_of_simultaneous_closes_only_the_last_one_ends_links(stores: tuple[Store, Store]) -> None:
    for i in range(20):
        await stores[0].users.open(session(f"s{i}"), ADA)
    links = await befriended(stores[0], "bob")
    closed = await asyncio.gather(*(stores[i % 2].users.close("ada", f"s{i}", grace_ms=0) for i in range(20)))
    assert [one.ended for one in closed if one != Closed()] == [tuple(links)]


async def test_a_repeated_close_returns_the_same_links(store: Store) -> None:
    await store.users.open(session(), ADA)
    await befriended(store, "bob", "eve")
    first = await store.users.close("ada", "s1", grace_ms=0)
    again = await store.users.close("ada", "s1", grace_ms=0)
    assert len(first.ended) == 2
    assert replace(again, ended=()) == replace(first, ended=())
    assert set(again.ended) == set(first.ended)


async def test_a_repeated_close_does_not_return_what_was_brought_back(store: Store) -> None:
    await store.users.open(session("s1"), ADA)
    await befriended(store, "bob", "eve")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.users.open(session("s2"), ADA)
    assert (await store.users.close("ada", "s1", grace_ms=LONG_MS)).ended == ()
    await store.links.end("ada", "bob", "c-bob")
    await store.links.put("ada", link("bob", "another"))
    assert connections((await store.users.close("ada", "s1", grace_ms=LONG_MS)).ended) == {"bob": "c-bob"}
    assert connections((await store.links.table("ada"))[1]) == {"bob": "another", "eve": "c-eve"}


async def test_a_session_that_was_never_there_closes_nothing(store: Store) -> None:
    assert await store.users.close("ada", "s1", grace_ms=LONG_MS) == Closed()
    await store.users.open(session("s1"), ADA)
    await befriended(store, "bob")
    assert await store.users.close("ada", "s2", grace_ms=LONG_MS) == Closed()
    assert (await store.users.standing("ada")).sessions_count == 1
    assert len((await store.links.table("ada"))[1]) == 1
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert await store.users.close("ada", "s2", grace_ms=LONG_MS) == Closed()


async def test_a_quick_reconnect_brings_the_links_back_in_their_order_and_as_made_now(store: Store) -> None:
    await store.users.open(session("s1"), ADA)
    await befriended(store, "zoe", "bob", "eve")
    await befriended(store, "zoe")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    opened = await store.users.open(session("s2"), ADA)
    assert connections(opened.links) == {"zoe": "c-zoe", "bob": "c-bob", "eve": "c-eve"}
    assert by_age(opened.links) == ["bob", "eve", "zoe"]
    assert min(link.made for link in opened.links) > 4
    assert max(link.made for link in opened.links) == opened.rev
    assert opened.restored == {"zoe", "bob", "eve"}
    assert opened.waiting == frozenset()
    rev, table = await store.links.table("ada")
    assert (rev, set(table)) == (opened.rev, set(opened.links))


async def test_links_are_brought_back_once(store: Store) -> None:
    await store.users.open(session("s1"), ADA)
    await befriended(store, "bob")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.users.open(session("s2"), ADA)
    assert (await store.users.open(session("s3"), ADA)).restored == frozenset()


async def test_without_grace_links_do_not_come_back(store: Store) -> None:
    await store.users.open(session("s1"), ADA)
    await befriended(store, "bob")
    await store.users.close("ada", "s1", grace_ms=0)
    opened = await store.users.open(session("s2"), ADA)
    assert (opened.links, opened.restored) == ((), frozenset())


async def test_links_do_not_come_back_after_the_grace(store: Store, pass_time) -> None:
    await store.users.open(session("s1"), ADA)
    await befriended(store, "bob")
    await store.users.close("ada", "s1", grace_ms=40)
    await store.links.set_aside("ada", link("kim"), keep_ms=LONG_MS)
    await pass_time(50)
    opened = await store.users.open(session("s2"), ADA)
    assert connections(opened.links) == {"kim": "c-kim"}


async def test_an_invitation_redeemed_meanwhile_waits_and_is_the_most_recent(store: Store) -> None:
    await store.users.open(session("s1"), ADA)
    await befriended(store, "bob", "zoe")
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    await store.links.set_aside("ada", link("abe"), keep_ms=LONG_MS)
    opened = await store.users.open(session("s2"), ADA)
    assert opened.waiting == {"abe"}
    assert opened.restored == {"abe", "bob", "zoe"}
    assert by_age(opened.links) == ["bob", "zoe", "abe"]


async def test_a_link_that_stands_is_not_replaced_by_one_that_was_kept(store: Store) -> None:
    await store.links.put("ada", link("bob", "stands"))
    await store.links.set_aside("ada", link("bob", "kept"), keep_ms=LONG_MS)
    opened = await store.users.open(session(), ADA)
    assert connections(opened.links) == {"bob": "stands"}
    assert opened.restored == frozenset()


async def test_a_user_nobody_knows_has_no_standing(store: Store) -> None:
    assert await store.users.standing("ada") is None


async def test_standing_follows_sessions(stores: tuple[Store, Store], pass_time) -> None:
    await stores[0].users.open(session("s1"), ADA)
    assert await stores[1].users.standing("ada") == Standing("ada@example.com", "Ada", 1, 0)
    await stores[1].users.open(session("s2", node="n2"), ADA_L)
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
    await stores[0].users.open(session("s3"), ADA)
    assert await stores[0].users.standing("ada") == Standing("ada@example.com", "Ada", 1, 0)


async def test_a_user_stands_as_it_was_described_last(stores: tuple[Store, Store]) -> None:
    await stores[0].users.open(session(), ADA)
    await stores[0].users.describe("ada", replace(EXTENDED, name="lovelace", nick="Countess"), generation=NEWEST)
    assert await stores[1].users.standing("ada") == Standing("lovelace", "Countess", 1, 0, EXTENDED.features)
    await stores[0].users.describe("ada", ADA, generation=NEWEST)
    assert await stores[1].users.standing("ada") == Standing("ada@example.com", "Ada", 1, 0)


async def test_an_older_session_does_not_describe_its_successor(store: Store) -> None:
    old = await store.users.open(session("s1"), ADA)
    new = await store.users.open(session("s2"), EXTENDED, takeover=True)
    await store.users.describe("ada", ADA, generation=old.generation)
    assert (await store.users.standing("ada")).features == EXTENDED.features
    await store.users.describe("ada", ADA, generation=new.generation)
    assert (await store.users.standing("ada")).features == ADA.features


async def test_a_session_is_displaced_only_where_another_one_stands(store: Store) -> None:
    assert not await store.users.displaced("ada", "s1")
    await store.users.open(session("s1"), ADA)
    assert not await store.users.displaced("ada", "s1")
    await store.users.open(session("s2"), ADA, takeover=True)
    assert await store.users.displaced("ada", "s1")
    assert not await store.users.displaced("ada", "s2")
    await store.users.close("ada", "s2", grace_ms=0)
    assert not await store.users.displaced("ada", "s1")


@pytest.mark.parametrize("linked", [False, True])
async def test_describing_somebody_unknown_leaves_nothing(store: Store, linked: bool) -> None:
    if linked:
        await store.links.put("ada", link("bob"))
    await store.users.describe("ada", EXTENDED, generation=NEWEST)
    assert await store.users.standing("ada") is None


async def test_an_extended_user_stands_with_its_features_and_nothing_that_outlives_it(store: Store) -> None:
    await store.users.open(session(), EXTENDED)
    standing = await store.users.standing("ada")
    assert standing == Standing("ada@example.com", "Ada", 1, 0, EXTENDED.features, belongings=False)
    assert standing.persistent
    await store.users.close("ada", "s1", grace_ms=0)
    assert (await store.users.standing("ada")).features == EXTENDED.features


async def test_nobody_is_here_after_the_last_close(store: Store) -> None:
    await store.users.open(session(), ADA)
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    put = await store.links.put("ada", link("bob"), condition=Condition.HERE)
    assert put.word is PutWord.ABSENT


# --- what stays ------------------------------------------------------------------------------------------------------


async def test_persistent_links_stay_and_plain_ones_end(store: Store) -> None:
    opened = await store.users.open(session(), EXTENDED)
    plain = await befriended(store, "bob")
    lasting = await befriended(store, "eve", "kim", persist=True)
    closed = await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert closed.ended == tuple(plain)
    assert set(closed.staying) == set(lasting)
    assert closed.stamp > opened.generation
    assert (closed.belongings, closed.mail_until_ms) == (True, 0)
    rev, table = await store.links.table("ada")
    assert (rev, set(table)) == (4, set(lasting))


async def test_a_table_of_persistent_links_only_keeps_its_revision(store: Store) -> None:
    await store.users.open(session(), EXTENDED)
    await befriended(store, "eve", persist=True)
    await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert (await store.links.table("ada"))[0] == 1


async def test_a_repeated_close_returns_what_stays_too(store: Store) -> None:
    await store.users.open(session(), EXTENDED)
    await befriended(store, "bob")
    await befriended(store, "eve", persist=True)
    closed = await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert await store.users.close("ada", "s1", grace_ms=LONG_MS) == closed
    opened = await store.users.open(session("s2"), EXTENDED)
    again = await store.users.close("ada", "s1", grace_ms=LONG_MS)
    assert (again.ended, again.stamp) == ((), closed.stamp)
    assert again.staying == closed.staying
    assert again.stamp < opened.generation


async def test_persistent_links_are_there_again_and_not_restored(store: Store) -> None:
    first = await store.users.open(session("s1"), EXTENDED)
    lasting = await befriended(store, "eve", persist=True)
    closed = await store.users.close("ada", "s1", grace_ms=LONG_MS)
    opened = await store.users.open(session("s2"), EXTENDED)
    assert opened == replace(first, generation=opened.generation, rev=1, links=tuple(lasting))
    assert opened.generation > closed.stamp


async def test_stamps_and_generations_are_one_growing_row(store: Store) -> None:
    row = []
    for i in range(5):
        row.append((await store.users.open(session(f"s{i}"), ADA)).generation)
        row.append((await store.users.close("ada", f"s{i}", grace_ms=0)).stamp)
    assert row == sorted(set(row))


async def test_belongings_are_persistent_links(store: Store) -> None:
    await store.users.open(session(), EXTENDED)
    await befriended(store, "bob")
    assert not (await store.users.standing("ada")).belongings
    await befriended(store, "eve", persist=True)
    assert (await store.users.standing("ada")).belongings
    await store.users.close("ada", "s1", grace_ms=0)
    assert (await store.users.standing("ada")).belongings
    await store.links.end("ada", "eve", "c-eve")
    assert not (await store.users.standing("ada")).belongings


async def test_belongings_are_mail_too_and_the_first_of_it_says_until_when(store: Store) -> None:
    first = await store.users.open(session(), EXTENDED)
    assert first.mail == MailState()
    now_ms = store.clock.now_ms()
    for kind, until_ms in ((Kind.EXPIRED, now_ms + LONG_MS), (Kind.PARKED, now_ms + 2 * LONG_MS)):
        notice = Envelope(kind, "bob", "c-bob", 0, now_ms, b"", id=f"m-{kind}")
        assert await store.mailboxes.post("ada", notice, until_ms) is StoredWord.STORED
    assert (await store.users.standing("ada")).belongings
    closed = await store.users.close("ada", "s1", grace_ms=0)
    assert closed == Closed((), (), closed.stamp, belongings=True, mail_until_ms=now_ms + LONG_MS)
    opened = await store.users.open(session("s2"), EXTENDED)
    assert opened.mail == (await store.mailboxes.state("ada"))[0]
    assert opened.mail.waiting_count == 2


# --- takeover --------------------------------------------------------------------------------------------------------


class Ear:
    """Keeps what a node is told."""

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
    """Return what was heard until now: a last change of the table marks the end."""
    await store.links.put("ada", link("mark"), notice=Notice.QUIET)
    await eventually(lambda: ear.heard and ear.heard[-1][3:4] == ("mark",))
    return ear.heard[:-1]


async def test_a_takeover_removes_all_other_sessions_and_tells_their_nodes(
    stores: tuple[Store, Store], ear: Ear
) -> None:
    for sid in ("s1", "s2"):
        await stores[1].users.open(session(sid, node="n2"), EXTENDED)
    plain = await befriended(stores[1], "bob")
    before = await stores[1].users.standing("ada")
    opened = await stores[0].users.open(session("s3"), EXTENDED, takeover=True)
    assert (opened.links, opened.restored, opened.waiting) == (tuple(plain), frozenset(), frozenset())
    assert await stores[0].users.standing("ada") == replace(before, sessions_count=1)
    assert await all_heard(stores[0], ear) == [Replaced("s3")]


async def test_a_takeover_of_nobody_tells_nobody(store: Store, ear: Ear) -> None:
    await store.users.open(session("s1"), EXTENDED, takeover=True)
    await store.users.close("ada", "s1", grace_ms=0)
    await store.users.open(session("s2"), EXTENDED, takeover=True)
    assert await all_heard(store, ear) == []


async def test_a_repeated_takeover_changes_and_tells_nothing(store: Store, ear: Ear) -> None:
    await store.users.open(session("s1"), EXTENDED)
    first = await store.users.open(session("s2"), EXTENDED, takeover=True)
    await store.users.open(session("s3"), EXTENDED)
    assert await store.users.open(session("s2"), EXTENDED, takeover=True) == first
    assert (await store.users.standing("ada")).sessions_count == 2
    assert await all_heard(store, ear) == [Replaced("s2")]


async def test_a_displaced_session_closes_nothing(store: Store) -> None:
    await store.users.open(session("s1"), EXTENDED)
    await befriended(store, "bob")
    await store.users.open(session("s2"), EXTENDED, takeover=True)
    assert await store.users.close("ada", "s1", grace_ms=LONG_MS) == Closed()
    assert (await store.users.standing("ada")).sessions_count == 1
    assert len((await store.links.table("ada"))[1]) == 1
    assert len((await store.users.close("ada", "s2", grace_ms=LONG_MS)).ended) == 1
    assert await store.users.close("ada", "s1", grace_ms=LONG_MS) == Closed()


async def test_a_displaced_session_that_had_ended_and_gone_on_before_closes_nothing(store: Store) -> None:
    await store.users.open(session("s1", node="n1"), EXTENDED)
    await befriended(store, "bob")
    await store.users.close("ada", "s1", grace_ms=0)
    await store.users.open(session("s1", node="n2"), EXTENDED)
    await store.users.open(session("s2"), EXTENDED, takeover=True)
    assert await store.users.close("ada", "s1", grace_ms=0) == Closed()


async def test_of_simultaneous_takeovers_one_session_is_left(stores: tuple[Store, Store]) -> None:
    opened = await asyncio.gather(
        *(stores[i % 2].users.open(session(f"s{i}", node=f"n{i % 2}"), EXTENDED, takeover=True) for i in range(20))
    )
    assert (await stores[0].users.standing("ada")).sessions_count == 1
    last = max(range(20), key=lambda i: opened[i].generation)
    assert (await stores[0].users.close("ada", f"s{last}", grace_ms=0)).stamp > opened[last].generation
    assert (await stores[0].users.standing("ada")).sessions_count == 0
