"""Going through the keys of a real server."""

import redis

from exchange.core.model import Kind, Record
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.scan import scan
from exchange.storage.redis.store import open_store
from tests.harness.valkey import Valkey

KEYS = Keyspace("magi", b"k")
SAID = Record(5, "", True, Kind.QUESTION, "m1", "", b"")


async def test_every_key_that_matches_is_named_and_no_other(valkey: Valkey) -> None:
    wanted = {KEYS.history(f"u{number}", "c1").encode() for number in range(2000)}
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.mset(dict.fromkeys(wanted, "x"))
        client.mset({KEYS.meta(f"u{number}"): "x" for number in range(500)})
        client.set(Keyspace("other", b"k").history("u1", "c1"), "x")
    store = await open_store(valkey.url, index_key=b"k")
    try:
        assert {key async for key in scan(store.lane, KEYS.history("*", "*"))} == wanted
        named = [key async for key in scan(store.lane, KEYS.meta("u1"), KEYS.history("u1", "*"), KEYS.user("*"))]
        assert named == [KEYS.meta("u1").encode(), KEYS.history("u1", "c1").encode()]
    finally:
        await store.close()


async def test_a_trim_goes_on_when_a_history_is_dropped_meanwhile(valkey: Valkey) -> None:
    store = await open_store(valkey.url, index_key=b"k")
    try:
        for number in range(3):
            await store.ports.histories.add(f"u{number}", "c1", SAID, keep_ms=60_000)
        gone = set()
        async for key in scan(store.lane, KEYS.history("*", "*")):
            await store.ports.histories.drop(KEYS.uid_of(key), "c1")
            assert await store.lane.ask("XTRIM", key, "MINID", 1) == 0
            gone.add(key)
        assert len(gone) == 3
    finally:
        await store.close()


async def test_a_history_runs_out_and_a_record_of_a_newer_release_is_left_out_and_counted(valkey: Valkey) -> None:
    store = await open_store(valkey.url, index_key=b"k")
    key = KEYS.history("ada", "c1")
    try:
        with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
            client.xadd(key, {"r": b"\x91\x02"})
            await store.ports.histories.add("ada", "c1", SAID, keep_ms=60_000)
            assert 0 < client.pttl(key) <= 60_000
        records, more = await store.ports.histories.read("ada", "c1", "", count=9)
        assert ([record.id for record in records], more) == (["m1"], False)
        assert store.unknown_records == 1
    finally:
        await store.close()
