"""Which servers are refused, and with which words."""

import pytest
import redis

from exchange.storage.redis.durability import Durability
from exchange.storage.redis.fitness import FSYNC, Unfit, judge
from exchange.storage.redis.store import inspect_store, open_store
from tests.harness.valkey import Replicated, Valkey
from tests.harness.waiting import eventually

REDIS_7 = {
    "redis_version": "7.0.15",
    "redis_mode": "standalone",
    "role": "master",
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
}
VALKEY_9 = {"redis_version": "7.2.4", "valkey_version": "9.1.2", "server_mode": "standalone", "role": "master"}

AOF = REDIS_7 | {"aof_enabled": "1", "aof_last_write_status": "ok"}
LOCAL, SYNCED = Durability("local"), Durability("synced")
TWO_REPLICAS = Durability("replicated", wait_replicas_count=2)


@pytest.mark.parametrize(
    "info",
    [
        REDIS_7,
        VALKEY_9,
        REDIS_7 | {"redis_version": "8.2.1"},
        REDIS_7 | {"redis_version": "10.0.0"},
        VALKEY_9 | {"valkey_version": "8.0.0"},
        REDIS_7 | {"maxmemory": "1073741824"},
        REDIS_7 | {"maxmemory_policy": "allkeys-lru"},
    ],
    ids=["redis 7", "valkey 9", "redis 8", "redis 10", "valkey 8", "limited", "would evict but has no limit"],
)
def test_a_fit_server_passes(info: dict[str, str]) -> None:
    judge(info)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (REDIS_7 | {"redis_version": "6.2.14"}, "Redis 6.2.14; it must be Redis 7.0 or Valkey 8.0 or later"),
        (VALKEY_9 | {"valkey_version": "7.2.5"}, "Valkey 7.2.5; it must be Redis 7.0 or Valkey 8.0 or later"),
        ({}, "Redis of an unknown version"),
        (REDIS_7 | {"redis_version": "unstable"}, "Redis unstable"),
        (REDIS_7 | {"redis_mode": "cluster"}, "in cluster mode"),
        (VALKEY_9 | {"server_mode": "sentinel"}, "in sentinel mode"),
        (REDIS_7 | {"role": "slave"}, "a replica; its address must be that of the primary"),
        (REDIS_7 | {"maxmemory": "1", "maxmemory_policy": "allkeys-lru"}, "maxmemory-policy allkeys-lru"),
        (REDIS_7 | {"maxmemory": "1", "maxmemory_policy": "volatile-ttl"}, "must be set to noeviction"),
    ],
)
def test_an_unfit_server_is_refused_in_one_sentence(info: dict[str, str], words: str) -> None:
    with pytest.raises(Unfit) as refusal:
        judge(info)
    text = str(refusal.value)
    assert words in text
    assert text.endswith(".")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("info", "durability"),
    [
        (REDIS_7, Durability("memory")),
        (AOF, LOCAL),
        (AOF | {FSYNC: "always"}, SYNCED),
        (AOF, SYNCED),
        (AOF | {"min_slaves_good_slaves": "2"}, TWO_REPLICAS),
        (AOF | {"min_slaves_good_slaves": "3"}, TWO_REPLICAS),
    ],
    ids=["memory", "local", "synced", "synced, as far as one may know", "replicated", "replicated, one to spare"],
)
def test_a_server_that_meets_its_level_passes(info: dict[str, str], durability: Durability) -> None:
    judge(info, durability)


@pytest.mark.parametrize(
    ("info", "durability", "words"),
    [
        (REDIS_7, LOCAL, "set appendonly yes in its configuration, or set EXCHANGE_STORE__DURABILITY=memory if"),
        (REDIS_7 | {"aof_enabled": "0"}, SYNCED, "EXCHANGE_STORE__DURABILITY=synced needs"),
        (AOF | {"aof_last_write_status": "err"}, LOCAL, "cannot write its append-only file"),
        (AOF | {FSYNC: "everysec"}, SYNCED, "appendfsync everysec, and EXCHANGE_STORE__DURABILITY=synced needs always"),
        (REDIS_7 | {"min_slaves_good_slaves": "2"}, TWO_REPLICAS, "has no append-only file"),
        (AOF | {"connected_slaves": "2"}, TWO_REPLICAS, "needs min-replicas-to-write 1 or more"),
        (AOF | {"min_slaves_good_slaves": "1"}, TWO_REPLICAS, "has 1 replica in step"),
        (AOF | {"min_slaves_good_slaves": "0"}, TWO_REPLICAS, "has 0 replicas in step"),
    ],
)
def test_a_server_below_its_level_is_refused_with_what_to_do(
    info: dict[str, str], durability: Durability, words: str
) -> None:
    with pytest.raises(Unfit) as refusal:
        judge(info, durability)
    text = str(refusal.value)
    assert words in text
    assert text.endswith(".")
    assert "\n" not in text


async def test_a_real_server_passes_and_nothing_is_left_in_it(valkey: Valkey) -> None:
    await inspect_store(valkey.url)
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        assert client.keys() == []


async def test_a_real_server_that_evicts_is_refused(own_valkey: Valkey) -> None:
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "100mb")
    with pytest.raises(Unfit, match="allkeys-lru"):
        await inspect_store(own_valkey.url)
    with pytest.raises(Unfit, match="allkeys-lru"):
        await open_store(own_valkey.url)


async def test_a_real_server_is_held_to_its_level(own_valkey: Valkey) -> None:
    await inspect_store(own_valkey.url)
    with pytest.raises(Unfit, match="no append-only file"):
        await inspect_store(own_valkey.url, durability=LOCAL)
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        client.config_set("appendonly", "yes")
        await inspect_store(own_valkey.url, durability=LOCAL)
        with pytest.raises(Unfit, match="appendfsync everysec"):
            await inspect_store(own_valkey.url, durability=SYNCED)
        client.config_set("appendfsync", "always")
    await inspect_store(own_valkey.url, durability=SYNCED)
    with pytest.raises(Unfit, match="min-replicas-to-write"):
        await inspect_store(own_valkey.url, durability=TWO_REPLICAS)


async def test_without_the_right_to_ask_the_level_synced_is_believed(own_valkey: Valkey) -> None:
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        client.config_set("appendonly", "yes")
        client.acl_setuser("default", enabled=True, nopass=True, commands=["-config"])
    await inspect_store(own_valkey.url, durability=SYNCED)


async def test_flaws_are_seen_while_the_store_is_in_use(own_valkey: Valkey) -> None:
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        client.config_set("appendonly", "yes")
        client.config_set("appendfsync", "always")
        store = await open_store(own_valkey.url, durability=SYNCED)
        try:
            assert await store.flaws() == frozenset()
            client.config_set("appendfsync", "everysec")
            assert await store.flaws() == {"durability"}
            client.config_set("appendonly", "no")
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("maxmemory", "100mb")
            assert await store.flaws() == {"durability", "policy"}
        finally:
            await store.close()


async def test_a_primary_is_fit_for_replication_while_its_replica_keeps_up(replicated: Replicated) -> None:
    durability = Durability("replicated")
    await inspect_store(replicated.primary.url, durability=durability)
    store = await open_store(replicated.primary.url, durability=durability)
    try:
        assert await store.flaws() == frozenset()
        replicated.replica.stop()

        async def flawed() -> bool:
            return await store.flaws() == {"durability"}

        await eventually(flawed)
    finally:
        await store.close()
