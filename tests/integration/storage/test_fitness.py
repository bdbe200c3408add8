"""Which servers are refused, and with which words."""

import pytest
import redis

from exchange.storage.redis.fitness import Unfit, judge
from exchange.storage.redis.store import inspect_store, open_store
from tests.harness.valkey import Valkey

REDIS_7 = {
    "redis_version": "7.0.15",
    "redis_mode": "standalone",
    "role": "master",
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
}
VALKEY_9 = {"redis_version": "7.2.4", "valkey_version": "9.1.2", "server_mode": "standalone", "role": "master"}


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
