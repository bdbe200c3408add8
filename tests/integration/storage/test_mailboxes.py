"""Mailboxes on a real server: what its keys hold, what it does when it is full, and that it answers as memory does."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import redis

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import NOWHERE, Offset, order
from exchange.core.model import Envelope, Kind, Link, Presence, Profile
from exchange.ports import Caps, Page, Store, StoredWord
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from exchange.storage.parcel import pack
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.mailboxes import Mailboxes
from exchange.storage.redis.store import RedisStore, open_store
from tests.harness.valkey import Valkey
from tests.harness.waiting import WAIT_SECONDS, eventually

LATE_MS = 4_000_000_000_000
PAST_MS = 1
INDEX_KEY = b"an index key for tests"
KEYS = Keyspace("magi", INDEX_KEY)
FRIENDS = ("bob", "eve", "kim")
HELLO = Envelope(Kind.QUESTION, "bob", "c1", 0, 5, b'"hello"')
CAPS = Caps(count=120, bytes=9000, share_percent=50)
LETTER = 2**36
HOUR = 3600


class Slip:
    """A receipt that can be waited for."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def filed(self, word: StoredWord, offset: Offset, nodes_count: int) -> None:
        self.outcome.set_result((word, offset, nodes_count))

    def failed(self, error: StorageUnavailable) -> None:
        self.outcome.set_result(error)


async def append(store: Store, envelope: Envelope, until_ms: int = LATE_MS) -> Any:
    slip = Slip()
    store.mailboxes.append("ada", envelope, until_ms, slip)
    return await asyncio.wait_for(slip.outcome, WAIT_SECONDS)


async def stored(store: Store, id_: str, until_ms: int = LATE_MS, **changes: Any) -> Offset:
    word, offset, _ = await append(store, HELLO._replace(id=id_, **changes), until_ms)
    assert word is StoredWord.STORED
    return offset


async def befriend(store: Store) -> None:
    for friend in FRIENDS:
        await store.links.put("ada", Link(friend, "c1", friend, friend, persist=True))


def mailbox(store: RedisStore) -> Mailboxes:
    assert isinstance(store.ports.mailboxes, Mailboxes)
    return store.ports.mailboxes


@pytest.fixture
async def store(own_valkey: Valkey) -> AsyncIterator[RedisStore]:
    """A store in which the user has friends."""
    store = await open_store(own_valkey.url, index_key=INDEX_KEY, caps=CAPS)
    await befriend(store.ports)
    yield store
    await store.close()


@pytest.fixture
def client(own_valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(own_valkey.socket), decode_responses=False) as client:
        yield client


def counted(client: redis.Redis) -> dict[str, int]:
    """Check what is counted against what is there, and return how much it is."""
    letters = [fields for _, fields in client.xrange(KEYS.mailbox("ada"))]
    meta = client.hgetall(KEYS.meta("ada"))
    assert int(meta.get(b"count", 0)) == len(letters)
    assert int(meta.get(b"bytes", 0)) == sum(len(letter[b"b"]) for letter in letters)
    shares: dict[bytes, int] = {}
    for letter in letters:
        shares[letter[b"f"]] = shares.get(letter[b"f"], 0) + LETTER + len(letter[b"b"])
    kept = {sender: int(share) for sender, share in client.hgetall(KEYS.shares("ada")).items()}
    assert kept == (shares if b"shared" in meta else {})
    offsets = {offset for offset, _ in client.xrange(KEYS.mailbox("ada"))}
    assert set(client.hgetall(KEYS.tries("ada"))) <= offsets
    return {"letters": len(letters), "shared": b"shared" in meta}


# --- the same as in memory


class Twins:
    """The same steps on both stores. Offsets and epochs differ, so answers name a letter by when it was stored."""

    def __init__(self, *stores: Store) -> None:
        self.stores = stores
        self.offsets: list[list[Offset]] = [[], []]
        self.epochs = ["", ""]

    async def append(self, envelope: Envelope, until_ms: int) -> StoredWord:
        answers = []
        for store, offsets in zip(self.stores, self.offsets, strict=True):
            word, offset, _ = await append(store, envelope, until_ms)
            if word is StoredWord.STORED:
                offsets.append(offset)
            answers.append((word, offsets.index(offset) if offset else None))
        assert answers[0] == answers[1]
        return answers[0][0]

    async def both(self, call: str, *places: int, **options: Any) -> Any:
        """Call a method with the offsets of these letters."""
        answers = []
        for store, offsets in zip(self.stores, self.offsets, strict=True):
            answer = await getattr(store.mailboxes, call)("ada", *(offsets[place] for place in places), **options)
            answers.append(self._plain(answer, offsets))
        assert answers[0] == answers[1], call
        return answers[0]

    async def ack(self, place: int) -> None:
        for store, offsets in zip(self.stores, self.offsets, strict=True):
            state, _ = await store.mailboxes.state("ada")
            assert await store.mailboxes.ack("ada", offsets[place], state.epoch)

    async def read(self, place: int, **options: int) -> None:
        pages = []
        for store, offsets in zip(self.stores, self.offsets, strict=True):
            after = offsets[place] if place >= 0 else NOWHERE
            pages.append(self._plain(await store.mailboxes.read("ada", after, **options), offsets))
        assert pages[0] == pages[1]

    def _plain(self, answer: Any, offsets: list[Offset]) -> Any:
        if isinstance(answer, Page):
            letters = [(offsets.index(letter.offset), *letter[1:]) for letter in answer.letters]
            state = answer.state
            places = [offsets.index(offset) if offset != NOWHERE else -1 for offset in (state.last, state.acked)]
            return letters, places, state.waiting_count, answer.more
        if isinstance(answer, tuple):
            return [(offsets.index(one.offset), one.fate, one.kind, one.sender, one.id) for one in answer]
        # A moment to look again is some time from now on either clock.
        return answer if not isinstance(answer, int) or answer < 10**12 or answer >= LATE_MS else "soon"


async def step(twins: Twins, chance: random.Random) -> None:
    """Do something, often enough of each kind, to old and new letters alike."""
    count = len(twins.offsets[0])
    place = chance.randrange(max(0, count - 150), count)
    match chance.choice(["append"] * 5 + ["burst", "ack", "attempt", "expire", "purge", "read", "told"]):
        case "append":
            body = b"x" * chance.choice([0, 10, 10, 300])
            envelope = HELLO._replace(
                kind=chance.choice([1, 1, 2, 3]),
                sender=chance.choice(FRIENDS),
                id=f"m{chance.randrange(60)}",
                body=body,
            )
            await twins.append(envelope, chance.choice([PAST_MS, LATE_MS, LATE_MS + 1]))
        case "burst":
            sender = chance.choice(FRIENDS)
            for number in range(chance.randrange(1, 90)):
                await twins.append(HELLO._replace(sender=sender, id=f"b{count}.{number}", body=b""), LATE_MS)
        case "ack":
            await twins.ack(chance.choice([place, count - 1]))
        case "attempt":
            await twins.both("attempt", place, most=1)
        case "expire":
            await twins.both("expire", count=chance.choice([3, 256]))
        case "purge":
            await twins.both("purge", sender=chance.choice(FRIENDS))
        case "read":
            await twins.read(chance.choice([place, -1]), count=chance.randrange(1, 30), bytes_=chance.randrange(3000))
        case "told":
            if fates := await twins.both("ended"):
                await twins.both("told", chance.choice(fates)[0])


@pytest.mark.parametrize("seed", range(4))
async def test_any_sequence_is_answered_as_in_memory_and_all_counters_stay_right(
    store: RedisStore, client: redis.Redis, seed: int
) -> None:
    memory = memory_store(Memory(), CAPS)
    await befriend(memory)
    twins, chance = Twins(store.ports, memory), random.Random(seed)
    await twins.append(HELLO._replace(id="first"), LATE_MS)
    seen = {"shared": False}
    for _ in range(250):
        await step(twins, chance)
        seen["shared"] |= bool(counted(client)["shared"])
    assert seen["shared"], "nothing was ever crowded"
    await twins.read(-1, count=1000, bytes_=1 << 20)
    await twins.both("ended")
    await twins.both("trim_parked", before_ms=LATE_MS)


# --- what stands in the keys


async def test_an_entry_holds_what_the_scripts_need_and_links_back_to_the_one_before(
    store: RedisStore, client: redis.Redis
) -> None:
    first, second = await stored(store.ports, "m1"), await stored(store.ports, "m2", LATE_MS, kind=Kind.ANSWER)
    entries = dict(client.xrange(KEYS.mailbox("ada")))
    envelope = HELLO._replace(id="m2", kind=Kind.ANSWER)
    assert list(entries[second.encode()].items()) == [
        (b"f", b"bob"),
        (b"i", b"m2"),
        (b"k", b"2"),
        (b"x", b"%d" % LATE_MS),
        (b"p", first.encode()),
        (b"b", pack(envelope)),
    ]
    assert entries[first.encode()][b"p"] == NOWHERE.encode()


async def test_an_emptied_mailbox_keeps_its_newest_offset_and_nothing_beside_it(
    store: RedisStore, client: redis.Redis
) -> None:
    for number in range(70):
        offset = await stored(store.ports, f"m{number}", sender=FRIENDS[number % 3], body=b"")
    await store.ports.mailboxes.attempt("ada", offset, most=5)
    assert client.exists(KEYS.shares("ada"), KEYS.tries("ada")) == 2
    state, _ = await store.ports.mailboxes.state("ada")
    await store.ports.mailboxes.ack("ada", offset, state.epoch)
    assert client.exists(KEYS.shares("ada"), KEYS.tries("ada")) == 0
    assert client.xinfo_stream(KEYS.mailbox("ada"))["last-generated-id"] == offset.encode()
    assert counted(client) == {"letters": 0, "shared": False}


async def test_whatever_ends_takes_its_attempts_along(store: RedisStore, client: redis.Redis) -> None:
    boxes = store.ports.mailboxes
    old, poison = await stored(store.ports, "m1", PAST_MS), await stored(store.ports, "m2")
    await stored(store.ports, "m3")
    assert [await boxes.attempt("ada", offset, most=1) for offset in (old, poison)] == [1, 1]
    await boxes.expire("ada")
    assert client.hkeys(KEYS.tries("ada")) == [poison.encode()]
    await boxes.attempt("ada", poison, most=1)
    assert client.exists(KEYS.tries("ada")) == 0


async def test_offsets_go_on_when_the_clock_of_the_server_went_back(store: RedisStore, client: redis.Redis) -> None:
    await stored(store.ports, "m1")
    client.execute_command("XSETID", KEYS.mailbox("ada"), f"{LATE_MS}-7")
    assert await stored(store.ports, "m2") == f"{LATE_MS}-8"


async def test_a_long_list_of_repeats_is_turned_by_age_and_by_number_and_runs_out(
    store: RedisStore, client: redis.Redis
) -> None:
    younger, older, meta = KEYS.seen("ada", 0), KEYS.seen("ada", 1), KEYS.meta("ada")
    most_ms = 2 * CAPS.dedupe_ms

    async def word(id_: str) -> StoredWord:
        return (await append(store.ports, HELLO._replace(id=id_)))[0]

    await stored(store.ports, "m1")
    assert 0 < client.pttl(younger) <= most_ms
    client.hincrby(meta, "turned_ms", -CAPS.dedupe_ms)
    await stored(store.ports, "m2")
    assert (client.hkeys(younger), client.hkeys(older)) == ([b"bob:m2"], [b"bob:m1"])
    assert 0 < client.pttl(older) <= client.pttl(younger) <= most_ms
    assert [await word(one) for one in ("m1", "m2")] == [StoredWord.DUPLICATE] * 2
    # Full but younger than ten minutes: nothing is forgotten yet.
    client.hset(meta, "seen", CAPS.dedupe_count)
    await stored(store.ports, "m3")
    assert client.hlen(younger) == 2
    client.hincrby(meta, "turned_ms", -600_000)
    await stored(store.ports, "m4")
    assert (sorted(client.hkeys(older)), client.hkeys(younger)) == ([b"bob:m2", b"bob:m3"], [b"bob:m4"])
    assert [await word(one) for one in ("m2", "m3", "m4")] == [StoredWord.DUPLICATE] * 3
    # Both ran out while nothing came.
    client.delete(younger, older)
    client.hincrby(meta, "turned_ms", -most_ms)
    await stored(store.ports, "m2")
    assert 0 < client.pttl(younger) <= most_ms


async def test_many_repeats_are_kept_in_a_table_that_is_quick_to_look_up(
    store: RedisStore, client: redis.Redis
) -> None:
    for number in range(64):
        assert client.object("encoding", KEYS.seen("ada", 0)) in {None, b"listpack"}
        offset = await stored(store.ports, f"m{number}", body=b"", sender=FRIENDS[number % 3])
    assert client.object("encoding", KEYS.seen("ada", 0)) == b"hashtable"
    assert await append(store.ports, HELLO._replace(id="m63", body=b"")) == (StoredWord.DUPLICATE, offset, 0)


async def test_a_notice_keeps_its_user_known_until_it_expires(store: RedisStore, client: redis.Redis) -> None:
    ports, kept = store.ports, [KEYS.meta("ada"), KEYS.mailbox("ada")]
    presence = Presence("s1", "ada", "ada", "n1", "magi", "")
    await ports.users.open(presence, Profile("ada", "Ada"))
    last = await stored(ports, "m1")
    await ports.mailboxes.ack("ada", last, (await ports.mailboxes.state("ada"))[0].epoch)
    for friend in FRIENDS:
        await ports.links.end("ada", friend, "c1")
    await ports.users.close("ada", "s1", grace_ms=0)
    assert all(0 < client.ttl(key) <= HOUR for key in kept)
    notice = HELLO._replace(kind=Kind.EXPIRED, id="expired:1-0")
    assert await ports.mailboxes.post("ada", notice, PAST_MS) is StoredWord.STORED
    assert [client.ttl(key) for key in kept] == [-1, -1]
    assert await ports.mailboxes.expire("ada") == 0
    assert all(0 < client.ttl(key) <= HOUR for key in (*kept, KEYS.user("ada")))


# --- a server that is full, or gone


async def test_a_full_server_stores_nothing_and_still_gives_and_ends_mail(
    store: RedisStore, client: redis.Redis
) -> None:
    boxes = store.ports.mailboxes
    old, poison, good = [
        await stored(store.ports, f"m{number}", until_ms) for number, until_ms in enumerate((PAST_MS, LATE_MS, LATE_MS))
    ]
    before = {key: client.dump(key) for key in client.scan_iter()}
    client.config_set("maxmemory", "1")
    refused = await append(store.ports, HELLO._replace(id="m9"))
    assert isinstance(refused, StorageUnavailable)
    assert not refused.sent
    with pytest.raises(StorageUnavailable):
        await boxes.post("ada", HELLO._replace(id="m9"), LATE_MS)
    assert {key: client.dump(key) for key in client.scan_iter()} == before
    assert await boxes.expire("ada") == LATE_MS
    assert await boxes.attempt("ada", poison, most=0) == 0
    assert {fate.offset for fate in await boxes.ended("ada")} == {old, poison}
    assert await boxes.purge("ada", "eve") == 0
    assert await boxes.trim_parked("ada", before_ms=LATE_MS) == 1
    assert await boxes.ack("ada", good, (await boxes.state("ada"))[0].epoch)
    assert counted(client)["letters"] == 0


async def test_while_the_server_is_gone_an_append_fails_as_not_sent(store: RedisStore, own_valkey: Valkey) -> None:
    own_valkey.stop()
    await eventually(lambda: not store.lane.up)
    failed = await append(store.ports, HELLO._replace(id="m1"))
    assert isinstance(failed, StorageUnavailable)
    assert not failed.sent


async def test_an_append_survives_a_server_that_lost_its_scripts(store: RedisStore, client: redis.Redis) -> None:
    client.script_flush()
    assert await stored(store.ports, "m1")


async def test_a_script_that_fails_half_way_leaves_it_open_whether_the_mail_is_stored(
    store: RedisStore, client: redis.Redis
) -> None:
    client.set(KEYS.mailbox("ada"), "no stream")
    failed = await append(store.ports, HELLO._replace(id="m1"))
    assert isinstance(failed, StorageUnavailable)
    assert failed.sent


async def test_mail_is_committed_by_whoever_makes_it_safe(store: RedisStore) -> None:
    called = []

    class Committer:
        def call(self, script: Any, keys: Any, args: Any, done: Any) -> None:
            called.append(script.name)
            store.lane.run(script, keys, args, done)

    boxes = Mailboxes(store.lane, KEYS, CAPS, Committer())
    assert await boxes.post("ada", HELLO._replace(id="m1"), LATE_MS) is StoredWord.STORED
    slip = Slip()
    boxes.append("ada", HELLO._replace(id="m1"), LATE_MS, slip)
    assert (await asyncio.wait_for(slip.outcome, WAIT_SECONDS))[0] is StoredWord.DUPLICATE
    assert called == ["append", "append"]


# --- a newer release


async def test_a_letter_of_a_newer_release_is_counted_and_not_overtaken(store: RedisStore, client: redis.Redis) -> None:
    first = await stored(store.ports, "m1")
    longer = msgspec.msgpack.encode((*HELLO._replace(id="m2"), "news"))
    client.xadd(KEYS.mailbox("ada"), {"f": "bob", "i": "m2", "k": 1, "x": LATE_MS, "p": first, "b": longer})
    await stored(store.ports, "m3")
    page = await store.ports.mailboxes.read("ada", NOWHERE, count=9, bytes_=9999)
    assert [letter.offset for letter in page.letters] == [first]
    assert not page.more
    assert store.unknown_records == 1


async def test_a_fate_of_a_newer_release_is_left_alone_and_counted(store: RedisStore, client: redis.Redis) -> None:
    offset = await stored(store.ports, "m1", PAST_MS)
    await store.ports.mailboxes.expire("ada")
    client.hset(KEYS.fates("ada"), "17-0", msgspec.msgpack.encode((2, "expired", 1, "bob", "m9")))
    assert [fate.offset for fate in await store.ports.mailboxes.ended("ada")] == [offset]
    assert store.unknown_records == 1
    assert client.hlen(KEYS.fates("ada")) == 2


async def test_offsets_of_fates_are_named_in_order(store: RedisStore) -> None:
    offsets = [await stored(store.ports, f"m{number}", PAST_MS) for number in range(30)]
    await store.ports.mailboxes.expire("ada")
    named = [fate.offset for fate in await store.ports.mailboxes.ended("ada")]
    assert named == offsets == sorted(offsets, key=order)
