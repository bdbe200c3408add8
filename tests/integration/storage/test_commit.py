"""What counts only once a replica has it, against a real primary whose replica is frozen, or gone."""

import asyncio
import contextlib
import hashlib
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from exchange.core.errors import NotDurable, StorageUnavailable
from exchange.core.model import Envelope, Kind
from exchange.ports import StoredWord
from exchange.storage.redis import commit as module
from exchange.storage.redis.commit import Commit, Unreplicated
from exchange.storage.redis.durability import Durability
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.resp import ReplyError, kind
from exchange.storage.redis.scripts import Script
from exchange.storage.redis.store import open_store
from tests.harness.valkey import Replicated, Valkey
from tests.harness.waiting import WAIT_SECONDS, eventually


def script(name: str, source: str) -> Script:
    return Script(name, source, hashlib.sha1(source.encode()).hexdigest(), (), ())


APPEND = script("append", "return redis.call('RPUSH', KEYS[1], ARGV[1])")
LOOK = script("look", "return redis.call('LLEN', KEYS[1])")
FAIL = script("fail", "return redis.error_reply('WRONG')")
PATIENT = Durability("replicated", wait_replicas_count=1, wait_ms=10_000)
"""So that a slow machine fails no test."""
HASTY = Durability("replicated", wait_replicas_count=1, wait_ms=100)


@contextlib.asynccontextmanager
async def commit_to(server: Valkey, durability: Durability = PATIENT) -> AsyncIterator[Commit]:
    lane = Lane(
        Endpoint.parse(server.url),
        timeout_seconds=WAIT_SECONDS,
        connect_timeout_seconds=WAIT_SECONDS,
        probe_channel="probe",
        scripts=(APPEND, LOOK, FAIL),
    )
    try:
        await lane.start()
        yield Commit(lane, "nobody", durability)
    finally:
        await lane.stop()


@pytest.fixture
async def commit(replicated: Replicated) -> AsyncIterator[Commit]:
    async with commit_to(replicated.primary) as commit:
        yield commit


@pytest.fixture
async def hasty(replicated: Replicated) -> AsyncIterator[Commit]:
    async with commit_to(replicated.primary, HASTY) as commit:
        yield commit


def called(commit: Commit, script: Script, *args: str) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    commit.call(script, ("list",), args, future.set_result)
    assert not future.done(), "never from inside"
    return future


async def accepted(commit: Commit, value: str) -> bool:
    return isinstance(await called(commit, APPEND, value), int)


async def test_what_is_confirmed_is_on_the_replica(replicated: Replicated, commit: Commit) -> None:
    replies = await asyncio.gather(*(called(commit, APPEND, str(n)) for n in range(500)))
    assert replies == list(range(1, 501))
    with redis.Redis(unix_socket_path=str(replicated.replica.socket)) as client:
        assert client.lrange("list", 0, -1) == [str(n).encode() for n in range(500)]


async def test_nothing_is_confirmed_while_the_replica_is_frozen_and_all_is_again_after(
    replicated: Replicated, hasty: Commit
) -> None:
    await eventually(lambda: accepted(hasty, "before"))
    replicated.replica.signal(signal.SIGSTOP)
    meanwhile = await called(hasty, APPEND, "meanwhile")
    assert isinstance(meanwhile, Unreplicated)
    assert isinstance(meanwhile, NotDurable)
    assert isinstance(meanwhile, StorageUnavailable)
    assert meanwhile.sent
    replicated.replica.signal(signal.SIGCONT)
    await eventually(lambda: accepted(hasty, "after"))


async def test_a_repeat_over_another_connection_waits_for_what_the_first_one_wrote(
    replicated: Replicated, hasty: Commit
) -> None:
    replicated.replica.signal(signal.SIGSTOP)
    assert isinstance(await called(hasty, APPEND, "once"), Unreplicated)
    async with commit_to(replicated.primary, HASTY) as other:
        assert isinstance(await called(other, LOOK), Unreplicated), "it is there, but not safe"
        replicated.replica.signal(signal.SIGCONT)

        async def safe() -> bool:
            return await called(other, LOOK) == 1

        await eventually(safe)


async def test_a_publish_is_replicated_as_a_write_is(replicated: Replicated) -> None:
    with redis.Redis(unix_socket_path=str(replicated.primary.socket)) as client:
        before = client.info("replication")["master_repl_offset"]
        client.publish("nobody", "")
        assert client.info("replication")["master_repl_offset"] > before


async def test_without_a_replica_nothing_is_written(replicated: Replicated, commit: Commit) -> None:
    replicated.replica.stop()

    async def refused() -> bool:
        reply = await called(commit, APPEND, "x")
        return isinstance(reply, ReplyError) and kind(reply) == "NOREPLICAS"

    await eventually(refused)


async def test_a_refusal_of_the_server_is_told_as_it_is(replicated: Replicated, commit: Commit) -> None:
    good, bad = called(commit, APPEND, "x"), called(commit, FAIL)
    assert await good == 1
    assert str(await bad) == "ERR WRONG"


async def test_calls_come_back_in_order_while_batches_wait(
    replicated: Replicated, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_COUNT", 7)
    waits: list[float] = []
    commit.on_waited = waits.append
    order: list[int] = []
    for n in range(100):
        commit.call(APPEND, ("list",), (str(n),), lambda _reply, n=n: order.append(n))
    assert commit.waiting == 100
    await eventually(lambda: len(order) == 100)
    assert order == list(range(100))
    assert commit.waiting == 0
    assert len(waits) == 15
    with redis.Redis(unix_socket_path=str(replicated.primary.socket)) as client:
        assert client.lrange("list", 0, -1) == [str(n).encode() for n in range(100)]


async def test_scripts_that_the_server_lost_are_confirmed_when_they_ran(replicated: Replicated, hasty: Commit) -> None:
    with redis.Redis(unix_socket_path=str(replicated.primary.socket)) as client:
        async with commit_to(replicated.primary) as patient:
            client.script_flush()
            assert await asyncio.gather(*(called(patient, APPEND, str(n)) for n in range(3))) == [1, 2, 3]
        replicated.replica.signal(signal.SIGSTOP)
        client.script_flush()
    assert isinstance(await called(hasty, APPEND, "late"), Unreplicated)
    with redis.Redis(unix_socket_path=str(replicated.primary.socket)) as client:
        assert client.lrange("list", 0, -1) == [b"0", b"1", b"2", b"late"]


async def test_more_than_may_wait_is_refused_and_was_not_sent(
    replicated: Replicated, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE_COUNT", 2)
    monkeypatch.setattr(module, "QUEUE_BYTES", 10)
    first, large, second, third = (called(commit, APPEND, value) for value in ("a", "x" * 10, "b", "c"))
    for refused in (await large, await third):
        assert isinstance(refused, StorageUnavailable)
        assert not refused.sent
    assert [await first, await second] == [1, 2]


async def test_what_is_under_way_when_the_server_ends_is_unknown(replicated: Replicated, commit: Commit) -> None:
    replicated.primary.signal(signal.SIGSTOP)
    under_way = called(commit, APPEND, "x")
    await eventually(lambda: commit.lane.inflight >= 3)
    queued = called(commit, APPEND, "y")
    replicated.primary.stop()
    for lost in (await under_way, await queued):
        assert isinstance(lost, StorageUnavailable)
    assert (await under_way).sent
    assert not (await queued).sent
    assert commit.waiting == 0


class Receipt:
    """What became of mail."""

    word: StoredWord | None = None
    error: StorageUnavailable | None = None

    def filed(self, word: StoredWord, offset: str, nodes_count: int) -> None:
        self.word = word

    def failed(self, error: StorageUnavailable) -> None:
        self.error = error


async def test_mail_is_accepted_only_when_a_replica_has_it(replicated: Replicated) -> None:
    store = await open_store(replicated.primary.url, index_key=b"k", durability=HASTY)
    now_ms = store.ports.clock.now_ms()

    async def sent(id_: str) -> Receipt:
        receipt = Receipt()
        notice = Envelope(Kind.EXPIRED, "sender", "", now_ms + 60_000, now_ms, b"{}", id_)
        store.ports.mailboxes.append("u1", notice, now_ms + 60_000, receipt)
        await eventually(lambda: receipt.word or receipt.error)
        return receipt

    async def accepted(id_: str) -> StoredWord | None:
        return (await sent(id_)).word

    try:
        await eventually(lambda: accepted("m1"))
        replicated.replica.signal(signal.SIGSTOP)
        assert isinstance((await sent("m2")).error, NotDurable)
        assert isinstance((await sent("m2")).error, NotDurable), "a repeat finds it stored, and still not safe"
        replicated.replica.signal(signal.SIGCONT)
        assert await eventually(lambda: accepted("m2")) is StoredWord.DUPLICATE
        assert await eventually(lambda: accepted("m3")) in {StoredWord.STORED, StoredWord.DUPLICATE}
        with redis.Redis(unix_socket_path=str(replicated.replica.socket)) as client:
            assert client.xlen(store.keyspace.mailbox("u1")) == 3
    finally:
        await store.close()
