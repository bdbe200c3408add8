"""Telling senders what became of their mail, in memory."""

import asyncio
from dataclasses import dataclass

import pytest

from exchange.core.ids import NOWHERE
from exchange.core.model import Envelope, Kind, Letter, Link, Presence, Profile
from exchange.fates import AGAIN_MS, tell_fates
from exchange.ports import Caps, Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.breaking import ERRORS, break_everywhere
from tests.harness.world import Time

TTL_MS = 604_800_000
ANN = Presence("sid-ann", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
BOB = Presence("sid-bob", "uid-bob", "bob", "node2", "magi", "192.0.2.2")
FEATURES = frozenset({"ids", "resume", "persist", "offline"})


@dataclass
class World:
    """Ann has left, and mail of Bob to her is past its time."""

    time: Time
    memory: Memory
    store: Store

    async def mail(self, id_: str, ttl_ms: int = 1) -> None:
        envelope = Envelope(Kind.QUESTION, BOB.uid, "c1", 0, self.time(), b'"?"', id_, name="bob", nick="Bob")
        await self.store.mailboxes.post(ANN.uid, envelope, self.time() + ttl_ms)

    async def expire(self) -> None:
        self.time.ms += 10
        await self.store.mailboxes.expire(ANN.uid)

    async def notices(self, uid: str = BOB.uid) -> list[Letter]:
        return list((await self.store.mailboxes.read(uid, NOWHERE, count=1000, bytes_=1 << 30)).letters)

    async def told(self) -> list[str]:
        return [letter.envelope.reply_to for letter in await self.notices()]


async def begin(caps: Caps | None = None, ids: tuple[str, ...] = ("m1", "m2")) -> World:
    time = Time()
    memory = Memory(time)
    store = memory_store(memory) if caps is None else memory_store(memory, caps)
    world = World(time, memory, store)
    for presence in (ANN, BOB):
        await store.users.open(presence, Profile(presence.name, presence.name.title(), FEATURES))
    await store.links.put(ANN.uid, Link(BOB.uid, "c1", "bob", "Bob", persist=True, features=FEATURES))
    await store.links.put(BOB.uid, Link(ANN.uid, "c1", "ann", "Ann", persist=True, features=FEATURES))
    await store.users.close(ANN.uid, ANN.sid, grace_ms=0)
    for id_ in ids:
        await world.mail(id_)
    await world.expire()
    return world


async def test_the_sender_hears_of_each_message_whose_it_was_and_what_became_of_it():
    world = await begin()
    assert await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS) == 0
    for letter, id_ in zip(await world.notices(), ("m1", "m2"), strict=True):
        notice = letter.envelope
        assert (notice.kind, notice.sender, notice.reply_to) == (Kind.EXPIRED, ANN.uid, id_)
        assert (notice.name, notice.nick, notice.body) == ("ann", "Ann", b"")
        assert notice.id.startswith("expired:")
        assert letter.until_ms == world.time() + TTL_MS
    assert await world.store.mailboxes.ended(ANN.uid) == ()


async def test_parked_mail_is_told_as_parked():
    world = await begin(ids=())
    await world.mail("m1", ttl_ms=TTL_MS)
    (letter,) = await world.notices(ANN.uid)
    assert await world.store.mailboxes.attempt(ANN.uid, letter.offset, most=0) == 0
    await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS)
    (notice,) = await world.notices()
    assert (notice.envelope.kind, notice.envelope.reply_to) == (Kind.PARKED, "m1")


async def test_nothing_is_written_if_nothing_ended():
    world = await begin(ids=())
    assert await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS) == 0
    assert world.memory.dues == {}


@pytest.mark.parametrize("how", ERRORS)
async def test_told_once_wherever_it_broke_off_and_a_worker_knows_of_the_rest(how):
    async def run(world, breaking):
        await tell_fates(breaking(world.store), ANN.uid, ttl_ms=TTL_MS)

    async def finish(world):
        if await world.notices():
            assert world.memory.dues[ANN.uid] <= world.time() + AGAIN_MS
        await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS)
        assert sorted(await world.told()) == ["m1", "m2"]
        assert await world.store.mailboxes.ended(ANN.uid) == ()

    assert await break_everywhere(how, begin, run, finish) >= 9


async def test_told_once_if_two_do_it_at_the_same_time():
    world = await begin(ids=("m1", "m2", "m3"))
    other = memory_store(world.memory)
    await asyncio.gather(*(tell_fates(store, ANN.uid, ttl_ms=TTL_MS) for store in (world.store, other)))
    assert sorted(await world.told()) == ["m1", "m2", "m3"]


async def test_a_sender_that_is_not_known_any_more_gets_no_mailbox():
    world = await begin()
    del world.memory.users[BOB.uid]
    assert await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS) == 0
    assert BOB.uid not in world.memory.boxes
    assert await world.store.mailboxes.ended(ANN.uid) == ()


async def test_a_notice_that_nobody_fetches_is_looked_at_when_it_expires_and_causes_none():
    world = await begin(ids=("m1",))
    await world.store.users.close(BOB.uid, BOB.sid, grace_ms=0)
    await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS)
    assert world.memory.dues[BOB.uid] == world.time() + TTL_MS
    world.time.ms += TTL_MS
    await world.store.mailboxes.expire(BOB.uid)
    assert await world.notices() == []
    assert await tell_fates(world.store, BOB.uid, ttl_ms=TTL_MS) == 0
    assert await world.notices(ANN.uid) == []


async def test_what_finds_no_room_is_told_later():
    world = await begin(Caps(count=4, share_percent=50), ids=("m1", "m2"))
    await world.mail("m3")
    await world.expire()
    assert await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS) == 1
    assert await world.told() == ["m1", "m2"]
    state, _ = await world.store.mailboxes.state(BOB.uid)
    await world.store.mailboxes.ack(BOB.uid, state.last, state.epoch)
    assert await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS) == 0
    assert await world.told() == ["m3"]


async def test_more_than_one_page_is_told_to_the_end():
    ids = tuple(f"m{number}" for number in range(600))
    world = await begin(ids=ids)
    await world.expire()
    await world.expire()
    assert await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS) == 0
    assert await world.told() == list(ids)


async def test_who_is_no_friend_any_more_learns_no_new_name():
    world = await begin()
    await world.store.links.end(BOB.uid, ANN.uid, "c1")
    await world.store.users.describe(ANN.uid, Profile("ann-secret", "Nobody"), generation=1 << 52)
    await tell_fates(world.store, ANN.uid, ttl_ms=TTL_MS)
    assert {letter.envelope.name for letter in await world.notices()} == {""}
