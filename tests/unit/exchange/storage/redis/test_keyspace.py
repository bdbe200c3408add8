"""The map of keys, and a tap on a real server that compares what is written with the map."""

import re
from collections.abc import Iterator

import pytest
import redis

from exchange.core.ids import NOWHERE
from exchange.core.model import Envelope, Kind, Link, Presence, Profile, Record
from exchange.core.pairs import End, Passing, Role
from exchange.entropy import new_id
from exchange.ports import Notice, StoredWord, Terms
from exchange.storage.redis import keyspace
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.store import open_store
from tests.harness.valkey import Valkey
from tests.harness.waiting import eventually

NAME = "secret-name}:{x magi:1:?*"
ADDRESS = "203.0.113.77"
CODE = "SECRET"
TOKEN = "SESAME"
PAIRING = "oc_pair_" + "0123456789abcdef" * 2
INDEX_KEY = b"an index key for tests"


def rows() -> Iterator[re.Pattern[str]]:
    """Turn the first column of the map into patterns."""
    for key in re.findall(r"^``(.+?)`` {2,}", keyspace.__doc__ or "", re.MULTILINE):
        pattern = re.escape(key)
        pattern = re.sub(r"h\\\([^)]*\)", "[0-9a-f]{32}", pattern)
        pattern = re.sub(r"\\{u\\}", r"\\{[a-z2-7]{26}\\}", pattern)
        pattern = re.sub(r"\\{p\\}", r"\\{[0-9a-f]{32}\\}", pattern)
        pattern = pattern.replace(r"\{part\}", r"\{\d\d?\}")
        yield re.compile(r"magi:1:" + re.sub(r"<[^<>]*>", "[a-z0-9_-]+", pattern))


MAP = tuple(rows())


def on_the_map(key: str) -> bool:
    return any(row.fullmatch(key) for row in MAP)


def test_every_builder_makes_a_key_of_the_map_and_every_row_has_a_builder() -> None:
    keys, uid = Keyspace("magi", INDEX_KEY), new_id()
    pair = keys.pair_of(PAIRING)
    made = [
        keys.name("magi", NAME),
        *(
            build(uid)
            for build in (keys.user, keys.meta, keys.sessions, keys.links, keys.ended, keys.blocked, keys.invites)
        ),
        *(build(uid) for build in (keys.mailbox, keys.shares, keys.tries, keys.parked, keys.fates, keys.due)),
        *(keys.seen(uid, generation) for generation in (0, 1)),
        keys.history(uid, "c1"),
        keys.wake(uid),
        keys.done(uid, NAME),
        keys.take(uid, "ask"),
        keys.invite(NAME),
        keys.lease("n1"),
        keys.registry(),
        keys.node_sessions("n1"),
        keys.node_tally("n1"),
        keys.probe("n1"),
        keys.job("reap"),
        keys.counts(),
        keys.index_key(),
        keys.limit(ADDRESS, "redeem"),
        keys.stamps(ADDRESS, "register"),
        keys.pair(pair),
        *(build(pair, "phone") for build in (keys.slot, keys.bucket, keys.slot_wake)),
        keys.used(pair, "20261121"),
    ]
    assert [key for key in made if not on_the_map(key)] == []
    assert [row.pattern for row in MAP if not any(row.fullmatch(key) for key in made)] == []
    assert not on_the_map("magi:1:name:{ada}")


def test_all_keys_of_a_user_share_one_slot() -> None:
    keys = Keyspace("magi", INDEX_KEY)
    builders = (
        *(keys.user, keys.meta, keys.sessions, keys.links, keys.ended, keys.blocked, keys.invites, keys.wake),
        *(keys.mailbox, keys.shares, keys.tries, keys.parked, keys.fates),
    )
    assert {re.search(r"\{(.*?)\}", build("ada")).group(1) for build in builders} == {"ada"}


def test_all_keys_of_a_pair_share_one_slot() -> None:
    keys = Keyspace("magi", INDEX_KEY)
    made = [keys.pair("p1"), keys.used("p1", "202611")]
    made += [build("p1", role) for build in (keys.slot, keys.bucket, keys.slot_wake) for role in ("phone", "agent")]
    assert {re.search(r"\{(.*?)\}", key).group(1) for key in made} == {"p1"}
    assert len(set(made)) == len(made)


def test_hashes_differ_by_key_by_part_and_by_where_a_part_ends() -> None:
    hashes = [
        Keyspace("magi", b"1").hash("a", "b"),
        Keyspace("magi", b"2").hash("a", "b"),
        Keyspace("magi", b"1").hash("ab"),
        Keyspace("magi", b"1").hash("a", "bc"),
    ]
    assert len(set(hashes)) == 4
    assert Keyspace("other", b"1").hash("a", "b") == hashes[0]


@pytest.mark.parametrize("build", [Keyspace.wake, Keyspace.mailbox, Keyspace.parked, Keyspace.fates, Keyspace.pair])
def test_the_uid_of_a_key_is_read_back(build) -> None:
    keys = Keyspace("magi", INDEX_KEY)
    assert keys.uid_of(build(keys, "ada").encode()) == "ada"


@pytest.fixture
async def tapped(valkey: Valkey) -> tuple[set[str], str]:
    """Use every port with names, addresses and codes; return all keys and channels and the text of all commands."""
    with redis.Redis(unix_socket_path=str(valkey.socket), decode_responses=True) as client, client.monitor() as monitor:
        store = await open_store(valkey.url, prefix="magi", index_key=INDEX_KEY, bulk=True)
        try:
            await use(store.ports)
            await use_pairs(store.ports)
        finally:
            await store.close()
        with redis.Redis(unix_socket_path=str(valkey.socket)) as other:
            other.echo("the end")
            stored = {key.decode() for key in other.scan_iter()}
        commands = []
        while (command := monitor.next_command()["command"]) != "ECHO the end":
            if not command.startswith("SCRIPT LOAD"):
                commands.append(command)
    text = "\n".join(commands)
    return stored | set(re.findall(r"magi:1:[^ \n]+", text.replace(NAME, "<name>"))), text


async def use(store) -> None:
    ada, bob = new_id(), new_id()
    presence = Presence(new_id(), ada, NAME, "n1", "magi", ADDRESS)
    profile = Profile(NAME, "nick", frozenset({"resume"}))
    await store.names.claim(NAME, presence, token=TOKEN)
    await store.names.claim(NAME, presence, proof=TOKEN, token=TOKEN * 2)
    await store.users.open(presence, profile, takeover=True)
    await store.leases.note(presence)
    await store.wakes.listen(ada)
    link = Link(bob, new_id(), NAME, "nick")
    await store.links.put(ada, link, notice=Notice.ANNOUNCE)
    await store.links.end(ada, bob, link.connection, keep_ms=60_000)
    await store.links.put(ada, link)
    await store.links.set_aside(bob, link, keep_ms=60_000)
    await store.links.mark_away(ada, bob, link.connection, 1)
    await store.links.table(ada)
    await store.links.block(ada, NAME, (bob,), most=9)
    await store.links.blocks(ada, NAME, bob)
    await store.links.unblock(ada, NAME)
    await store.links.block(ada, NAME, (bob,), most=9)
    await store.invites.open(CODE, ada, life_ms=60_000, most=2, terms=Terms(NAME, confirm=True))
    await store.invites.confirm(CODE, ada, NAME)
    await store.invites.peek(CODE, NAME)
    await store.invites.claim(CODE, bob, new_id(), claim_ms=60_000)
    for number in range(70):
        envelope = Envelope(Kind.QUESTION, bob, link.connection, 0, 1, b"{}", f"{NAME}{number}", name=NAME)
        assert await store.mailboxes.post(ada, envelope, 1) is StoredWord.STORED
    page = await store.mailboxes.read(ada, NOWHERE, count=2, bytes_=999)
    for letter in page.letters:
        await store.mailboxes.attempt(ada, letter.offset, most=1)
        await store.mailboxes.attempt(ada, letter.offset, most=1)
    await store.mailboxes.expire(ada, sid=presence.sid, count=9)
    await store.mailboxes.ended(ada)
    await store.mailboxes.purge(ada, bob)
    await store.dues.note(ada, 1)
    await store.dues.due(count=1)
    await store.histories.add(ada, link.connection, Record(1, "", True, 1, NAME, "", b"{}"), keep_ms=60_000)
    await store.limits.take(ada, "ask", per_minute=1, burst=2)
    await store.limits.fail(ADDRESS, "redeem", window_ms=60_000)
    await store.limits.failures(ADDRESS, "redeem")
    await store.repeats.reserve(ada, NAME, presence.sid, "0123456789abcdef")
    await store.repeats.keep(ada, NAME, presence.sid, "0123456789abcdef", b"reply")
    await store.repeats.drop(ada, NAME, presence.sid)
    await store.names.find(NAME, "magi")
    await store.names.keep(NAME, "magi", ada)
    await store.users.describe(ada, profile, generation=1 << 52)
    await store.users.standing(ada)
    await store.users.close(ada, presence.sid, grace_ms=60_000)
    await store.names.forget(NAME, "magi", "another")
    await store.names.release(NAME, "magi", presence.sid, grace_ms=60_000)


async def use_pairs(store) -> None:
    pair = await store.pairs.create(PAIRING, ttl_ms=60_000)
    for role in Role:
        await store.slots.listen(pair, role)
        entered = await store.pairs.enter(pair, role, f"s-{role}", "n1")
    end = End(pair, role, entered.number)
    settled = []
    store.slots.pass_on(end, b"{}", settled.append)
    await eventually(lambda: settled == [Passing.PASSED])
    await store.slots.mark(end, busy=True)
    store.slots.hand_over(*end)
    await store.pairs.exists(pair)
    await store.pairs.leave(pair, role, f"s-{role}")
    await store.pairs.delete(pair)
    await store.pairs.create(PAIRING)
    await store.limits.slide(ADDRESS, "register", most=5, window_ms=60_000)


async def test_a_tap_sees_only_keys_and_channels_of_the_map(tapped: tuple[set[str], str]) -> None:
    keys, _ = tapped
    assert len(keys) > 12
    assert sorted(key for key in keys if not on_the_map(key)) == []


async def test_a_tap_sees_no_address_code_or_token_anywhere_and_no_name_in_a_key(tapped: tuple[set[str], str]) -> None:
    keys, text = tapped
    assert "secret-name" in text  # values may hold a name
    assert not any("secret-name" in key for key in keys)
    assert ADDRESS not in text
    assert CODE not in text
    assert TOKEN not in text
    assert PAIRING[16:] not in text  # its beginning is shown to operators
