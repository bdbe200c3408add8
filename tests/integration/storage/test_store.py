"""The store on a real server: opening it, what it leaves behind, and how it behaves while the server is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import redis

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Counts, Envelope, Kind, NodeInfo, NodeTally, Presence
from exchange.core.wakes import Wake
from exchange.storage.redis import clock
from exchange.storage.redis.fitness import server_info
from exchange.storage.redis.store import RedisStore, Timing, open_store
from tests.harness.valkey import Valkey
from tests.harness.waiting import eventually

QUICK = Timing(timeout_seconds=0.5, connect_timeout_seconds=0.5, probe_seconds=0.2)
DIGEST = "0123456789abcdef"
NODE = NodeInfo("n1", "0.1.0", 1_700_000_000_000)
ENVELOPE = Envelope(Kind.QUESTION, "sender", "c1", 1, 2, b"{}")

Opener = Callable[..., Awaitable[RedisStore]]


class Ear:
    """A listener that counts."""

    def __init__(self) -> None:
        self.heard: list[Wake] = []
        self.gaps = 0

    def woken(self, uid: str, wake: Wake, size_bytes: int) -> None:
        self.heard.append(wake)

    def gap(self) -> None:
        self.gaps += 1


class Slip:
    """A receipt that remembers."""

    outcome: object = None

    def counted(self, nodes_count: int) -> None:
        self.outcome = nodes_count

    def failed(self, error: StorageUnavailable) -> None:
        self.outcome = error


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Opens stores and closes them in the end."""
    async with AsyncExitStack() as stack:

        async def open_(url: str, **options: object) -> RedisStore:
            store = await open_store(url, timing=QUICK, **options)
            stack.push_async_callback(store.close)
            return store

        yield open_


def keys(server: Valkey) -> dict[str, int]:
    """Return all keys and how many seconds they have left; -1 is for ever."""
    with redis.Redis(unix_socket_path=str(server.socket), decode_responses=True) as client:
        return {key: client.ttl(key) for key in client.keys()}


async def test_an_opened_store_knows_the_servers_time_whatever_this_machine_says(
    valkey: Valkey, opened: Opener
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock.time, "time", lambda: 0.0)
        store = await opened(valkey.url)
    seconds, _ = await store.lane.ask("TIME")
    assert abs(store.ports.clock.now_ms() / 1000 - int(seconds)) < 10


async def test_all_nodes_share_the_index_key_that_the_first_one_made(valkey: Valkey, opened: Opener) -> None:
    stores = await asyncio.gather(*(opened(valkey.url) for _ in range(5)))
    assert len({store.keyspace.hash("x") for store in stores}) == 1
    assert keys(valkey) == {"magi:1:{cluster}:index_key": -1}
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        assert len(client.get("magi:1:{cluster}:index_key") or b"") >= 32


async def test_a_configured_index_key_is_used_and_not_stored(valkey: Valkey, opened: Opener) -> None:
    one = await opened(valkey.url, index_key=b"configured")
    two = await opened(valkey.url, index_key=b"another one")
    assert one.keyspace.hash("x") != two.keyspace.hash("x")
    assert keys(valkey) == {}


async def test_two_clusters_on_one_server_do_not_meet(valkey: Valkey, opened: Opener) -> None:
    one, two = await opened(valkey.url, prefix="one"), await opened(valkey.url, prefix="two")
    await one.ports.leases.renew(NODE, ttl_ms=60_000, draining=False)
    assert not await two.ports.leases.alive("n1")
    assert {key.partition(":")[0] for key in keys(valkey)} == {"one", "two"}


async def test_a_store_that_is_not_there_is_out_of_reach(tmp_path: object) -> None:
    with pytest.raises(StorageUnavailable):
        await open_store(f"unix://{tmp_path}/nobody.sock", timing=QUICK)


async def test_a_wrong_url_is_refused() -> None:
    with pytest.raises(ValueError, match="store URL"):
        await open_store("http://127.0.0.1")


async def test_everything_but_totals_and_what_nodes_hold_runs_out(valkey: Valkey, opened: Opener) -> None:
    ports = (await opened(valkey.url, index_key=b"k")).ports
    await ports.limits.take("u1", "ask", per_minute=10, burst=10)
    await ports.limits.fail("198.51.100.7", "redeem", window_ms=60_000)
    for id_ in ("pending", "kept"):
        await ports.repeats.reserve("u1", id_, "s1", DIGEST)
    await ports.repeats.keep("u1", "kept", "s1", DIGEST, b"reply")
    await ports.leases.renew(NODE, ttl_ms=10_000, draining=False)
    await ports.leases.note(Presence("s1", "u1", "ada", "n1", "magi", "198.51.100.7"))
    await ports.tallies.report("n1", NodeTally(), Counts(1, 1), ttl_ms=15_000)
    await ports.jobs.hold("reap_nodes", "w1", ttl_ms=10_000)
    left = keys(valkey)
    assert {key for key, seconds in left.items() if seconds < 0} == {
        "magi:1:{nodes}:registry",
        "magi:1:{cluster}:counts",
        # Sessions last as long as they like; a worker clears the index of a dead node.
        "magi:1:node:{n1}:sessions",
    }
    assert max(left.values()) <= 24 * 3600
    assert len(left) == 10
    assert not [key for key in left if "198.51" in key or "ada" in key or "kept" in key]


async def test_leaving_and_forgetting_leave_nothing_behind(valkey: Valkey, opened: Opener) -> None:
    ports = (await opened(valkey.url, index_key=b"k")).ports
    for end in (ports.leases.leave, ports.leases.forget):
        await ports.leases.renew(NODE, ttl_ms=1, draining=False)
        await ports.tallies.report("n1", NodeTally(), Counts(), ttl_ms=15_000)
        await end("n1")
        await eventually(lambda: set(keys(valkey)) == {"magi:1:{cluster}:counts"})


async def test_a_full_bucket_takes_no_room(valkey: Valkey, opened: Opener) -> None:
    ports = (await opened(valkey.url, index_key=b"k")).ports
    await ports.limits.take("u1", "ask", per_minute=1, burst=1)
    await ports.limits.give_back("u1", "ask", per_minute=1, burst=1)
    assert keys(valkey) == {}


async def test_leases_and_buckets_work_on_a_server_that_is_full(own_valkey: Valkey, opened: Opener) -> None:
    ports = (await opened(own_valkey.url, index_key=b"k")).ports
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        client.config_set("maxmemory", "1")
    assert await ports.leases.renew(NODE, ttl_ms=1, draining=False)
    assert await ports.limits.take("u1", "ask", per_minute=1, burst=1) == 0
    await eventually(lambda: ports.leases.reap("n1"))
    with pytest.raises(StorageUnavailable):
        await ports.repeats.reserve("u1", "m1", "s1", DIGEST)


async def test_the_clock_follows_the_store(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    clock = store.ports.clock
    clock.learn(0, clock.steady(), clock.steady())  # as if the wall clock were decades wrong
    assert clock.now_ms() < 60_000
    await store.ports.leases.renew(NODE, ttl_ms=10_000, draining=False)
    seconds, _ = await store.lane.ask("TIME")
    assert abs(clock.now_ms() - int(seconds) * 1000) < 5_000


async def test_a_wake_of_a_newer_release_is_counted_and_ignored(valkey: Valkey, opened: Opener) -> None:
    store, ear = await opened(valkey.url), Ear()
    store.ports.wakes.attend(ear)
    await store.ports.wakes.listen("u1")
    for payload in (b"", b"?what", b"E\xc1", b"E\x90"):
        await store.lane.ask("PUBLISH", store.keyspace.wake("u1"), payload)
    store.ports.wakes.send("u1", ENVELOPE, Slip())
    await eventually(lambda: ear.heard)
    assert ear.heard == [ENVELOPE]
    assert store.unknown_records == 4


async def test_a_noted_session_of_a_newer_release_is_counted_and_ignored(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    await store.lane.ask("HSET", store.keyspace.node_sessions("n1"), "s1", b"\x93\xcc\xc8\xa1x\xa1y")
    assert [presence async for presence in store.ports.leases.noted("n1")] == []
    assert store.unknown_records == 1


async def test_a_refused_wake_fails_as_not_sent(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    slip = Slip()
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.acl_setuser("default", enabled=True, nopass=True, commands=["-publish"])
        try:
            store.ports.wakes.send("u1", ENVELOPE, slip)
            await eventually(lambda: slip.outcome)
        finally:
            client.acl_setuser("default", enabled=True, nopass=True, commands=["+publish"])
    assert isinstance(slip.outcome, StorageUnavailable)
    assert not slip.outcome.sent


async def test_after_a_break_the_listener_hears_of_a_gap_and_then_of_wakes(own_valkey: Valkey, opened: Opener) -> None:
    store, ear = await opened(own_valkey.url, index_key=b"k"), Ear()
    store.ports.wakes.attend(ear)
    await store.ports.wakes.listen("u1")
    await store.ports.wakes.listen("u2")
    store.ports.wakes.forget("u2")
    await store.ports.leases.renew(NODE, ttl_ms=60_000, draining=False)
    own_valkey.stop()
    await eventually(lambda: not store.lane.up)
    lost = Slip()
    store.ports.wakes.send("u1", ENVELOPE, lost)
    await eventually(lambda: lost.outcome)
    assert isinstance(lost.outcome, StorageUnavailable)
    assert not lost.outcome.sent
    own_valkey.start()
    await eventually(lambda: ear.gaps)
    assert await store.ports.leases.store_up_seconds() <= asyncio.get_running_loop().time() - store.lane.up_since
    back, nobody = Slip(), Slip()
    store.ports.wakes.send("u1", ENVELOPE, back)
    store.ports.wakes.send("u2", ENVELOPE, nobody)
    await eventually(lambda: ear.heard and nobody.outcome is not None)
    assert (back.outcome, nobody.outcome) == (1, 0)


async def test_listening_that_failed_can_be_repeated_or_given_up(own_valkey: Valkey, opened: Opener) -> None:
    store, ear = await opened(own_valkey.url, index_key=b"k"), Ear()
    store.ports.wakes.attend(ear)
    own_valkey.stop()
    await eventually(lambda: not store.lane.up)
    for uid in ("repeated", "given up"):
        with pytest.raises(StorageUnavailable):
            await store.ports.wakes.listen(uid)
    store.ports.wakes.forget("given up")
    own_valkey.start()
    await eventually(lambda: store.lane.up)
    await store.ports.wakes.listen("repeated")
    slips = {uid: Slip() for uid in ("given up", "repeated")}
    for uid, slip in slips.items():
        store.ports.wakes.send(uid, ENVELOPE, slip)
    await eventually(lambda: ear.heard and slips["repeated"].outcome is not None)
    assert {uid: slip.outcome for uid, slip in slips.items()} == {"given up": 0, "repeated": 1}


async def test_a_node_whose_store_lost_everything_is_fenced(own_valkey: Valkey, opened: Opener) -> None:
    store = await opened(own_valkey.url, index_key=b"k")
    assert await store.ports.leases.renew(NODE, ttl_ms=60_000, draining=False)
    own_valkey.flush()
    assert not await store.ports.leases.renew(NODE, ttl_ms=60_000, draining=False)


async def test_the_server_says_how_long_it_is_up(valkey: Valkey, opened: Opener) -> None:
    store = await opened(valkey.url)
    assert int((await server_info(store.lane, "server"))["uptime_in_seconds"]) >= 0
    await eventually(store.ports.leases.store_up_seconds)
