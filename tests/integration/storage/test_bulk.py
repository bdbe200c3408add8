"""The lane of pairs on a real server that breaks, forgets its scripts, or is full."""

import asyncio
import itertools
import math
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest
import redis

from exchange.core.errors import StorageUnavailable
from exchange.core.model import NodeInfo, NodeTally
from exchange.core.pairs import End, HandedOver, PairId, PassedOn, Passing, Role, SlotWake
from exchange.ports import Allowances, Store
from exchange.storage.redis.clock import Clock
from exchange.storage.redis.connection import INFLIGHT_COUNT
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.room import PLACES_COUNT
from exchange.storage.redis.slots import Slots
from exchange.storage.redis.store import BULK_PATIENCE, RedisStore, Timing, open_store
from tests.harness.ends import Ear, enter, pass_on
from tests.harness.valkey import Valkey
from tests.harness.waiting import eventually

QUICK = Timing(timeout_seconds=0.5, connect_timeout_seconds=0.5, probe_seconds=0.2)
FREE = Allowances(phone_burst=1_000_000, agent_burst=1_000_000)
TOKEN = "oc_pair_" + "0123456789abcdef" * 2

Opener = Callable[..., Awaitable[RedisStore]]


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Opens stores with a lane for pairs and closes them in the end."""
    async with AsyncExitStack() as stack:

        async def open_(url: str, **options: object) -> RedisStore:
            options = {"timing": QUICK, "index_key": b"k", "allowances": FREE, "bulk": True} | options
            store = await open_store(url, **options)
            stack.push_async_callback(store.close)
            return store

        yield open_


async def paired(store: RedisStore) -> tuple[Ear, End, End]:
    """Return who listens, and a phone and an agent that have heard of each other."""
    ear = Ear(store.ports)
    pair = await store.ports.pairs.create(TOKEN)
    phone, agent = [await enter(store.ports, pair, role) for role in Role]
    for role in Role:
        await ear.told(pair, role)
    return ear, phone, agent


async def test_pairs_have_a_lane_of_their_own_that_is_more_patient(valkey: Valkey, opened: Opener) -> None:
    store, other = await opened(valkey.url), await opened(valkey.url, bulk=False)
    assert store.bulk is not None
    before = store.lane.counters.commands
    await paired(store)
    assert store.lane.counters.commands == before
    assert store.bulk.channels == 2
    assert store.bulk._timeout_seconds == BULK_PATIENCE * store.lane._timeout_seconds
    # Who only asks needs none.
    assert other.bulk is None
    assert len(await other.ports.pairs.connected(store.keyspace.pair_of(TOKEN))) == 2


async def test_both_lanes_are_up_or_the_store_is_not(own_valkey: Valkey, opened: Opener) -> None:
    store = await opened(own_valkey.url)
    assert store.up
    own_valkey.stop()
    await eventually(lambda: not store.up)
    own_valkey.start()
    await eventually(lambda: store.up)
    assert store.bulk is not None
    await store.bulk.stop()
    assert store.lane.up
    assert not store.up


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
async def test_after_a_break_everything_is_cut_and_then_goes_on(valkey: Valkey, opened: Opener, kind: str) -> None:
    # CORAL-37: frames may be lost, so nobody here can be proven current.
    store = await opened(valkey.url)
    ear, phone, agent = await paired(store)
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.client_kill_filter(_type=kind, skipme=True)
    await eventually(lambda: ear.cuts == 1)
    assert await pass_on(store.ports, phone, b"again") == [Passing.PASSED]
    assert await ear.told(agent.pair, Role.AGENT) == [PassedOn(agent.number, 0, b"again")]


class Diary(Ear):
    """Remembers the numbers in frames, and cuts as -1, in the order in which it hears of them."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.heard_frames: list[int] = []

    def heard(self, pair: PairId, role: Role, wake: SlotWake) -> None:
        if isinstance(wake, PassedOn):
            self.heard_frames.append(int(wake.frame))

    def cut(self) -> None:
        self.heard_frames.append(-1)


async def test_nothing_behind_what_was_lost_is_heard_before_the_cut(valkey: Valkey, opened: Opener) -> None:
    # CORAL-11, CORAL-16: a new subscription brings messages along with its confirmation, before anybody knows of the break.
    here, there = await opened(valkey.url, timing=Timing()), await opened(valkey.url, timing=Timing())
    heard = Diary(here.ports).heard_frames
    elsewhere = Ear(there.ports)
    pair = await here.ports.pairs.create(TOKEN)
    await enter(here.ports, pair, Role.PHONE)
    agent = await enter(there.ports, pair, Role.AGENT)
    for number in range(300):  # so that confirmations and messages mix
        await here.ports.slots.listen(here.keyspace.pair_of(str(number)), Role.PHONE)
    left = asyncio.Event()

    async def send() -> None:
        for number in itertools.count():
            left.clear()
            there.ports.slots.pass_on(agent, b"%d" % number, lambda _outcome: left.set())
            await left.wait()

    sending = asyncio.create_task(send())
    try:
        with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
            for _ in range(5):
                heard.clear()
                await eventually(lambda: heard)
                (mine,) = [one for one in client.client_list(_type="pubsub") if int(one["sub"]) > 300]
                client.client_kill_filter(_id=mine["id"])
                await eventually(lambda: -1 in heard)
                before = heard[: heard.index(-1)]
                assert before == list(range(before[0], before[0] + len(before)))
    finally:
        sending.cancel()
    assert elsewhere.cuts == 0


async def test_silence_lasts_until_the_lane_is_back(own_valkey: Valkey, opened: Opener) -> None:
    store = await opened(own_valkey.url)
    slots = store.ports.slots
    assert store.bulk is not None
    own_valkey.stop()
    await eventually(lambda: not store.bulk.up)
    before = slots.silent_seconds()
    await eventually(lambda: slots.silent_seconds() > max(before, 0.5))
    own_valkey.start()
    await eventually(lambda: store.bulk.up and slots.silent_seconds() < 0.5)


async def test_a_lane_that_never_was_up_is_silent_for_ever() -> None:
    lane = Lane(Endpoint.parse("unix:///nobody"), probe_channel="probe")
    assert Slots(lane, Keyspace(), Clock(), FREE).silent_seconds() == math.inf


async def test_receipts_come_in_order_though_some_frames_are_refused_before_others_are_given_up(
    own_valkey: Valkey, opened: Opener
) -> None:
    store = await opened(own_valkey.url)
    _, phone, _ = await paired(store)
    settled: list[tuple[int, object]] = []
    own_valkey.signal(signal.SIGSTOP)
    try:
        for number in range(INFLIGHT_COUNT + 10):
            store.ports.slots.pass_on(phone, b"{}", lambda outcome, number=number: settled.append((number, outcome)))
        await eventually(lambda: len(settled) == INFLIGHT_COUNT + 10)
    finally:
        own_valkey.signal(signal.SIGCONT)
    assert [number for number, _ in settled] == list(range(INFLIGHT_COUNT + 10))
    sent = [isinstance(outcome, StorageUnavailable) and outcome.sent for _, outcome in settled]
    assert sent == [True] * INFLIGHT_COUNT + [False] * 10


async def test_numbers_grow_though_the_clock_of_the_server_went_back(valkey: Valkey, opened: Opener) -> None:
    # CORAL-24: a server that took over may be behind.
    store = await opened(valkey.url)
    _, phone, _ = await paired(store)
    ahead = phone.number + 3_600_000_000
    await store.lane.ask("HSET", store.keyspace.slot(phone.pair, phone.role), "number", ahead)
    assert await enter(store.ports, phone.pair, phone.role, "newer") == End(phone.pair, phone.role, ahead + 1)


async def test_a_crowded_lane_does_not_lose_the_word_that_a_large_frame_arrived(
    own_valkey: Valkey, opened: Opener
) -> None:
    # DEL-40: without it no large frame of the sender would ever leave again.
    store = await opened(own_valkey.url, timing=Timing())
    ear, phone, agent = await paired(store)
    outcomes: list[object] = []
    own_valkey.signal(signal.SIGSTOP)
    try:
        for _ in range(INFLIGHT_COUNT + PLACES_COUNT + 1):
            store.ports.slots.pass_on(phone, b"{}", outcomes.append)
        store.ports.slots.hand_over(agent.pair, Role.AGENT, agent.number)
        await asyncio.sleep(0)
    finally:
        own_valkey.signal(signal.SIGCONT)
    await eventually(lambda: (agent.pair, Role.AGENT, HandedOver(agent.number)) in ear.wakes)
    assert ear.cuts == 0


async def test_a_receipt_that_raises_holds_up_no_other(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    _, phone, _ = await paired(store)

    def raising(outcome: object) -> None:
        raise ValueError(outcome)

    store.ports.slots.pass_on(phone, b"{}", raising)
    assert await pass_on(store.ports, phone) == [Passing.PASSED]


async def test_frames_never_overtake_each_other_when_the_server_lost_its_scripts(
    valkey: Valkey, opened: Opener
) -> None:
    # CORAL-16: those that are refused are the ones ahead of those that pass.
    store = await opened(valkey.url)
    ear, phone, agent = await paired(store)
    settled: list[object] = []
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.script_flush()
    for number in range(2_000):
        store.ports.slots.pass_on(phone, b"%d" % number, settled.append)
        if number % 20 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: len(settled) == 2_000)
    refused = [outcome for outcome in settled if isinstance(outcome, StorageUnavailable)]
    assert refused
    assert not any(error.sent for error in refused)
    heard = [int(wake.frame) for wake in await ear.told(agent.pair, Role.AGENT) if isinstance(wake, PassedOn)]
    assert heard == [number for number, outcome in enumerate(settled) if outcome is Passing.PASSED]
    assert await pass_on(store.ports, phone) == [Passing.PASSED]


async def test_a_script_error_leaves_it_open_whether_a_frame_was_sent(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    _, phone, _ = await paired(store)
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.lpush(store.keyspace.bucket(phone.pair, phone.role), "no bucket")
    (outcome,) = await pass_on(store.ports, phone)
    assert isinstance(outcome, StorageUnavailable)
    assert outcome.sent


async def test_a_wake_of_a_newer_release_is_counted_and_ignored(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    ear, phone, _ = await paired(store)
    for payload in (b"", b"?what", b"F1 2", b"Ux"):
        await store.lane.ask("PUBLISH", store.keyspace.slot_wake(phone.pair, phone.role), payload)
    store.ports.slots.hand_over(phone.pair, phone.role, 7)
    await eventually(lambda: ear.wakes)
    assert ear.wakes == [(phone.pair, phone.role, HandedOver(7))]
    assert store.unknown_records == 4


async def test_frames_pass_and_slots_and_pairs_end_on_a_server_that_is_full(own_valkey: Valkey, opened: Opener) -> None:
    # DEL-22
    store = await opened(own_valkey.url)
    ear, phone, agent = await paired(store)
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        client.config_set("maxmemory", "1")
    assert await pass_on(store.ports, phone) == [Passing.PASSED]
    await store.ports.slots.mark(agent, busy=True)
    assert await store.ports.pairs.leave(phone.pair, Role.PHONE, "sid-phone")
    with pytest.raises(StorageUnavailable) as refusal:
        await store.ports.pairs.enter(phone.pair, Role.PHONE, "newer", "n1")
    assert not refusal.value.sent
    assert await store.ports.pairs.delete(phone.pair)
    assert len(await ear.told(phone.pair, Role.AGENT)) == 3


async def test_all_keys_of_a_pair_run_out_when_they_should(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    _, phone, _ = await paired(store)
    await pass_on(store.ports, phone)
    space, pair = store.keyspace, phone.pair

    async def left(key: str) -> int:
        return int(await store.lane.ask("TTL", key))

    day, month = sorted(await store.lane.ask("KEYS", "*:used:*"), key=len, reverse=True)
    assert 2 * 86_400 < await left(day.decode()) <= 3 * 86_400
    assert 39 * 86_400 < await left(month.decode()) <= 40 * 86_400
    assert 0 <= await left(space.bucket(pair, Role.PHONE)) <= 60
    assert [await left(key) for key in (space.pair(pair), space.slot(pair, Role.PHONE))] == [-1, -1]
    await store.ports.pairs.delete(pair)
    for role in Role:
        assert 0 < await left(space.slot(pair, role)) <= 86_400
        assert await store.lane.ask("HKEYS", space.slot(pair, role)) == [b"number"]
    await store.ports.pairs.create(TOKEN)
    await enter(store.ports, pair, Role.PHONE)
    assert await left(space.slot(pair, Role.PHONE)) == -1


async def test_a_slot_that_is_left_after_its_pair_ran_out_runs_out_too(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    _, phone, agent = await paired(store)
    await store.ports.pairs.leave(phone.pair, Role.PHONE, "sid-phone")
    assert await store.lane.ask("TTL", store.keyspace.slot(phone.pair, Role.PHONE)) == -1
    await store.lane.ask("DEL", store.keyspace.pair(phone.pair))
    await store.ports.pairs.leave(agent.pair, Role.AGENT, "sid-agent")
    assert await store.lane.ask("TTL", store.keyspace.slot(phone.pair, Role.AGENT)) > 0


async def test_a_window_of_uses_keeps_no_more_than_it_needs_and_runs_out(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    for most in (32, 3):
        for _ in range(40):
            await store.ports.limits.slide("192.0.2.1", "register", most=most, window_ms=60_000)
    key = store.keyspace.stamps("192.0.2.1", "register")
    assert await store.lane.ask("LLEN", key) == 32
    assert 0 < await store.lane.ask("PTTL", key) <= 60_000


async def test_the_tally_of_a_node_that_knows_no_pairs_is_read(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    node = NodeInfo("n1", "0.1.0", 1)
    await store.ports.leases.renew(node, ttl_ms=60_000, draining=False)
    older = msgspec.msgpack.encode({"identified_count": 2, "connections_count": 3})
    await store.lane.ask("HSET", store.keyspace.node_tally("n1"), "record", older)
    tally = NodeTally(identified_count=2, connections_count=3)
    assert dict((await store.ports.tallies.read()).nodes) == {node: tally}
    assert (tally.ends_count, tally.pairs_count) == (0, 0)
