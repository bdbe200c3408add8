"""What ``Links`` promises."""

import asyncio
from dataclasses import replace

import pytest

from exchange.core.features import OFFLINE, PERSIST
from exchange.core.model import Link, Presence, Profile
from exchange.core.wakes import Linked, Unlinked, Wake
from exchange.ports import Condition, Notice, Put, PutWord, Store
from tests.harness.waiting import eventually

LONG_MS = 60_000
BOB = Link("bob", "c1", "bob@example.com", "Bob 🦀")
EVE = Link("eve", "c2", "eve@example.com", "Eve")
KIM = Link(
    "kim",
    "c3",
    "kim@example.com",
    "Kim",
    persist=True,
    features=frozenset({PERSIST, OFFLINE}),
    status="working",
    capabilities=("vision", "two\nlines", ""),
    stamp=1_800_000_000_000_001,
)
ADA = Profile("ada@example.com", "Ada")


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
    await store.users.open(Presence(sid, "ada", "ada@example.com", "n1", "magi", ""), ADA)


async def away(store: Store, sid: str = "s1", *, grace_ms: int = LONG_MS) -> None:
    await store.users.close("ada", sid, grace_ms=grace_ms)


async def restored(store: Store) -> dict[str, str]:
    """Return who a new session of the user brings back, and under which connection."""
    opened = await store.users.open(Presence("s9", "ada", "ada@example.com", "n1", "magi", ""), ADA)
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


async def test_a_change_of_a_link_keeps_its_age(store: Store) -> None:
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


# --- how a friend is described ---------------------------------------------------------------------------------------


def told(link: Link, rev: int, *, announce: bool) -> Linked:
    return Linked(
        rev,
        rev - 1,
        announce,
        link.peer,
        link.connection,
        link.name,
        link.nick,
        link.made,
        link.waiting,
        link.persist,
        tuple(sorted(link.features)),
        link.status,
        link.capabilities,
        link.stamp,
    )


async def test_everything_about_a_friend_comes_out_as_it_went_in(stores: tuple[Store, Store], ear: Ear) -> None:
    link = replace(KIM, made=1)
    assert await stores[0].links.put("ada", KIM, notice=Notice.ANNOUNCE) == Put(PutWord.ADDED, link, rev=1, prev=0)
    assert await stores[1].links.table("ada") == (1, (link,))
    (wake,) = await all_heard(stores[0], ear)
    assert wake == told(link, 1, announce=True)
    assert wake.link() == link


async def test_a_change_of_a_link_keeps_whether_it_persists(store: Store, ear: Ear) -> None:
    await store.links.put("ada", KIM)
    changed = replace(KIM, persist=False, features=frozenset({PERSIST}), status="idle", capabilities=(), made=9)
    put = await store.links.put("ada", changed, notice=Notice.QUIET, condition=Condition.LINKED)
    link = replace(changed, persist=True, made=1)
    assert put == Put(PutWord.KEPT, link, rev=2, prev=1)
    assert await all_heard(store, ear) == [told(link, 2, announce=False)]
    await store.links.put("ada", BOB)
    put = await store.links.put("ada", replace(BOB, persist=True), condition=Condition.LINKED)
    assert not put.link.persist


async def test_a_friendship_made_again_persists_as_it_is_made_now(store: Store) -> None:
    await store.links.put("ada", BOB)
    assert (await store.links.put("ada", replace(BOB, persist=True))).link.persist
    assert not (await store.links.put("ada", BOB)).link.persist


async def test_a_change_with_an_older_stamp_comes_too_late(store: Store, ear: Ear) -> None:
    await store.links.put("ada", KIM)
    for stamp in (KIM.stamp - 1, 0):
        late = replace(KIM, nick="Late", stamp=stamp)
        put = await store.links.put("ada", late, notice=Notice.ANNOUNCE, condition=Condition.LINKED)
        assert put == Put(PutWord.ABSENT, late, rev=1, prev=1)
    assert await store.links.table("ada") == (1, (replace(KIM, made=1),))
    assert await all_heard(store, ear) == []


@pytest.mark.parametrize("newer", [0, 1])
async def test_a_change_with_the_same_or_a_newer_stamp_is_written(store: Store, newer: int) -> None:
    await store.links.put("ada", KIM)
    changed = replace(KIM, nick="K", made=1, stamp=KIM.stamp + newer)
    assert (await store.links.put("ada", changed, condition=Condition.LINKED)).link == changed


async def test_a_friendship_made_again_keeps_the_newest_stamp(store: Store) -> None:
    await store.links.put("ada", KIM)
    again = await store.links.put("ada", replace(KIM, nick="K", stamp=0))
    assert again.link == replace(KIM, nick="K", made=2)
    assert (await store.links.put("ada", replace(KIM, stamp=KIM.stamp + 1))).link.stamp == KIM.stamp + 1


async def test_everything_about_a_friend_survives_being_kept_and_set_aside(store: Store) -> None:
    await store.links.put("ada", KIM)
    await store.links.end("ada", "kim", "c3", keep_ms=LONG_MS)
    aside = replace(KIM, peer="ann", connection="c4")
    await store.links.set_aside("ada", aside, keep_ms=LONG_MS)
    assert await restored(store) == {"kim": "c3", "ann": "c4"}
    _, table = await store.links.table("ada")
    assert {replace(link, made=0) for link in table} == {KIM, aside}


# --- absent friends --------------------------------------------------------------------------------------------------


async def test_a_persistent_friend_is_marked_away_and_that_is_told_once(store: Store, ear: Ear) -> None:
    await store.links.put("ada", BOB)
    await store.links.put("ada", KIM)
    gone = KIM.stamp + 1
    assert [await store.links.mark_away("ada", "kim", "c3", gone) for _ in range(2)] == [True, False]
    away_kim = replace(KIM, made=2, waiting=True, stamp=gone)
    rev, table = await store.links.table("ada")
    assert (rev, set(table)) == (3, {replace(BOB, made=1), away_kim})
    assert await all_heard(store, ear) == [told(away_kim, 3, announce=True)]


async def test_of_fifty_who_mark_a_friend_away_exactly_one_did_it(stores: tuple[Store, Store], ear: Ear) -> None:
    await stores[0].links.put("ada", KIM)
    marked = await asyncio.gather(*(stores[i % 2].links.mark_away("ada", "kim", "c3", KIM.stamp) for i in range(50)))
    assert marked.count(True) == 1
    assert len(await all_heard(stores[0], ear)) == 1


@pytest.mark.parametrize(
    ("peer", "connection", "stamp"),
    [("kim", "c9", KIM.stamp), ("eve", "c3", KIM.stamp), ("kim", "c3", KIM.stamp - 1), ("bob", "c1", KIM.stamp)],
    ids=["another connection", "no link", "something newer is known", "a plain link"],
)
async def test_nobody_else_is_marked_away(store: Store, ear: Ear, peer: str, connection: str, stamp: int) -> None:
    await store.links.put("ada", KIM)
    await store.links.put("ada", BOB)
    assert not await store.links.mark_away("ada", peer, connection, stamp)
    assert not await store.links.mark_away("nobody", peer, connection, stamp)
    rev, table = await store.links.table("ada")
    assert (rev, set(table)) == (2, {replace(KIM, made=1), replace(BOB, made=2)})
    assert await all_heard(store, ear) == []


async def test_a_late_going_does_not_touch_a_friend_who_came_back(store: Store) -> None:
    await store.links.put("ada", KIM)
    gone, back = KIM.stamp + 1, KIM.stamp + 2
    await store.links.mark_away("ada", "kim", "c3", gone)
    await store.links.put("ada", replace(KIM, stamp=back), condition=Condition.LINKED)
    assert not await store.links.mark_away("ada", "kim", "c3", gone)
    assert (await store.links.table("ada"))[1] == (replace(KIM, made=1, stamp=back),)


# --- unseen ----------------------------------------------------------------------------------------------------------


async def come(store: Store, sid: str) -> tuple[frozenset[str], frozenset[str]]:
    """Open a session; return who waits for its user, and who was restored."""
    opened = await store.users.open(Presence(sid, "ada", "ada@example.com", "n1", "magi", ""), ADA)
    return opened.waiting, opened.restored


async def test_a_link_made_while_its_user_was_away_waits_for_it_once(stores: tuple[Store, Store]) -> None:
    await stores[0].links.put("ada", BOB)
    await stores[1].links.put("ada", KIM, unseen=True)
    for _ in range(2):  # a repeat gets the same answer
        assert await come(stores[0], "s1") == ({"kim"}, frozenset())
    assert await come(stores[0], "s2") == (frozenset(), frozenset())
    assert set((await stores[0].links.table("ada"))[1]) == {replace(BOB, made=1), replace(KIM, made=2)}


async def test_it_waits_beside_what_was_set_aside(store: Store) -> None:
    await store.links.put("ada", KIM, unseen=True)
    await store.links.set_aside("ada", BOB, keep_ms=LONG_MS)
    assert await come(store, "s1") == ({"kim", "bob"}, {"bob"})


async def test_a_quiet_change_or_a_going_meanwhile_leaves_it_unseen(store: Store) -> None:
    await store.links.put("ada", KIM, unseen=True)
    await store.links.put("ada", replace(KIM, nick="K"), notice=Notice.QUIET, condition=Condition.LINKED)
    await store.links.mark_away("ada", "kim", "c3", KIM.stamp)
    assert (await come(store, "s1"))[0] == {"kim"}


async def test_an_announcement_to_nobody_leaves_it_unseen(store: Store) -> None:
    await store.links.put("ada", KIM, notice=Notice.ANNOUNCE, unseen=True)
    assert (await come(store, "s1"))[0] == {"kim"}


async def test_what_was_announced_to_somebody_here_is_seen(store: Store) -> None:
    await here(store)
    await store.links.put("ada", KIM, notice=Notice.QUIET, unseen=True)
    await store.links.put("ada", BOB, notice=Notice.QUIET, unseen=True)
    await store.links.put("ada", KIM, notice=Notice.ANNOUNCE, condition=Condition.LINKED)
    assert (await come(store, "s2"))[0] == {"bob"}


async def test_a_link_that_ended_unseen_waits_no_more(store: Store) -> None:
    await store.links.put("ada", KIM, unseen=True)
    await store.links.end("ada", "kim", "c3")
    await store.links.put("ada", KIM)
    assert await come(store, "s1") == (frozenset(), frozenset())


async def test_a_change_that_is_not_written_marks_nothing(store: Store) -> None:
    await store.links.put("ada", KIM)
    await store.links.put("ada", replace(KIM, connection="c9"), condition=Condition.LINKED, unseen=True)
    assert (await come(store, "s1"))[0] == frozenset()


# --- blocks ----------------------------------------------------------------------------------------------------------


async def test_a_blocked_name_is_blocked_until_it_is_unblocked(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert await one.links.blocks("ada", "bob", "u1") is None
    for _ in range(2):
        assert await one.links.block("ada", "bob", (), most=1)
        assert await two.links.blocks("ada", "bob", "u1") == "bob"
    assert [await two.links.unblock("ada", "bob") for _ in range(2)] == [True, False]
    assert await one.links.blocks("ada", "bob", "u1") is None


async def test_blocked_names_compare_exactly_and_belong_to_their_user(store: Store) -> None:
    await store.links.block("ada", "Bob 🦀", (), most=9)
    found = [await store.links.blocks("ada", name, "u1") for name in ("Bob 🦀", "bob 🦀", "Bob")]
    assert found == ["Bob 🦀", None, None]
    assert await store.links.blocks("zoe", "Bob 🦀", "u1") is None
    assert not await store.links.unblock("zoe", "Bob 🦀")
    assert await store.links.blocks("ada", "Bob 🦀", "u1") == "Bob 🦀"


async def test_a_blocked_user_is_blocked_under_every_name_until_the_name_is_unblocked(store: Store) -> None:
    await store.links.block("ada", "bob", ("u1", "u2"), most=9)
    for uid in ("u1", "u2"):
        assert await store.links.blocks("ada", "robert", uid) == "bob"
    assert await store.links.blocks("ada", "robert", "u3") is None
    assert await store.links.unblock("ada", "bob")
    for uid in ("u1", "u2", "u3"):
        assert await store.links.blocks("ada", "bob", uid) is None


async def test_a_name_has_blocked_whoever_had_it_whenever_it_was_blocked(store: Store) -> None:
    await store.links.block("ada", "bob", ("u1",), most=9)
    await store.links.block("ada", "bob", ("u2",), most=9)
    assert [await store.links.blocks("ada", "x", uid) for uid in ("u1", "u2")] == ["bob", "bob"]
    await store.links.unblock("ada", "bob")
    assert [await store.links.blocks("ada", "x", uid) for uid in ("u1", "u2")] == [None, None]


async def test_who_was_blocked_under_two_names_goes_by_the_later_one(store: Store) -> None:
    await store.links.block("ada", "bob", ("u1",), most=9)
    await store.links.block("ada", "robert", ("u1",), most=9)
    await store.links.unblock("ada", "bob")
    assert await store.links.blocks("ada", "x", "u1") == "robert"
    await store.links.unblock("ada", "robert")
    assert await store.links.blocks("ada", "x", "u1") is None


async def test_a_user_blocks_so_many_names_and_users_and_no_more(store: Store) -> None:
    assert await store.links.block("ada", "bob", ("u1",), most=2)
    assert await store.links.block("ada", "cat", ("u2",), most=2)
    assert not await store.links.block("ada", "dan", (), most=2)
    assert not await store.links.block("ada", "bob", ("u3",), most=2)
    assert await store.links.blocks("ada", "dan", "u3") is None
    assert await store.links.block("ada", "cat", ("u1",), most=2), "what is there already is no more"
    await store.links.unblock("ada", "bob")
    assert await store.links.block("ada", "dan", (), most=2)
