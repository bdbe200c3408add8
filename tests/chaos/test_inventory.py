"""What is wrong in a store is found from outside (C6)."""

import pytest
import redis

from exchange.storage.redis.keyspace import Keyspace
from tests.chaos.inventory import Waiting, inspect, waiting
from tests.harness.valkey import Valkey

UID = "abcdefghijklmnopqrstuvwxy2"
KEYS = Keyspace()


@pytest.fixture
def store(valkey: Valkey):
    """A store with one user who has one letter."""
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.hset(KEYS.user(UID), "name", "ada")
        client.xadd(KEYS.mailbox(UID), {"f": "bob", "b": b"\xff\x00\xfe"})
        client.hset(KEYS.meta(UID), mapping={"count": 1, "bytes": 3})
        client.hset(KEYS.registry(), "node1", "x")
        client.zadd(KEYS.due(UID), {UID: 1})
        yield client


async def found(valkey: Valkey) -> set[str]:
    return {f"{one.rule} {one.what}" for one in await inspect(str(valkey.socket))}


async def test_a_store_in_order_is_found_to_be(store, valkey):
    assert await found(valkey) == set()
    assert await waiting(str(valkey.socket)) == Waiting(1, 0)


@pytest.mark.parametrize("field", ["count", "bytes"])
async def test_a_count_that_is_wrong_is_found(store, valkey, field):
    store.hincrby(KEYS.meta(UID), field, 1)
    assert await found(valkey) == {"C6 miscount"}


async def test_mail_of_nobody_is_found(store, valkey):
    store.delete(KEYS.user(UID))
    assert await found(valkey) == {"C6 orphan"}
    store.expire(KEYS.mailbox(UID), 60)
    store.expire(KEYS.meta(UID), 60)
    assert await found(valkey) == set()


async def test_what_should_run_out_and_does_not_is_found(store, valkey):
    store.hset(KEYS.take(UID, "ask"), "tokens", 1)
    assert await found(valkey) == {"C6 immortal"}


async def test_a_key_that_nobody_knows_is_found(store, valkey):
    store.set("magi:1:stray", "x")
    assert await found(valkey) == {"C6 orphan"}


async def test_senders_who_are_still_to_be_told_count_as_waiting(store, valkey):
    store.hset(KEYS.fates(UID), "1-1", "x")
    assert await waiting(str(valkey.socket)) == Waiting(1, 1)
