"""A node's lease, on a store in memory whose clock stands still."""

import asyncio

import pytest

from exchange.core.errors import StorageUnavailable, Unavailable
from exchange.core.model import NodeInfo
from exchange.node.lease import TRUSTED_SHARE, Lease
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually
from tests.harness.world import Time

TTL_SECONDS = 10.0


class Rig:
    def __init__(self, renew_seconds: float = 3600.0) -> None:
        self.time = Time()
        self.memory = Memory(self.time)
        self.store = memory_store(self.memory)
        self.attached: list[str] = []
        self.fresh = 0
        self.lease = Lease(
            NodeInfo("node0", "0", 0),
            self.store.leases,
            self.store.clock,
            ttl_seconds=TTL_SECONDS,
            renew_seconds=renew_seconds,
            start_over=self._start_over,
            attach_all=self._attach_all,
        )

    def _start_over(self) -> NodeInfo:
        self.fresh += 1
        return NodeInfo(f"node{self.fresh}", "0", 0)

    async def _attach_all(self) -> None:
        # Nothing may count on the lease before every session is attached again.
        assert not self.lease.current()
        assert await self.store.leases.alive(self.lease.info.id)
        self.attached.append(self.lease.info.id)

    async def reaped(self) -> None:
        """Let the lease run out and a worker declare the node dead."""
        self.time.ms += int(TTL_SECONDS * 1000)
        assert await self.store.leases.reap(self.lease.info.id)


@pytest.fixture
async def rig():
    rig = Rig()
    yield rig
    await rig.lease.stop()


async def test_a_lease_holds_from_the_start_for_the_share_of_its_time_that_is_trusted(rig):
    assert not rig.lease.current()
    await rig.lease.start()
    assert rig.lease.current()
    rig.time.ms += int(TRUSTED_SHARE * TTL_SECONDS * 1000) - 1
    assert rig.lease.current()
    rig.time.ms += 1
    assert not rig.lease.current()
    assert await rig.store.leases.alive("node0"), "the store waits longer than the node trusts"


async def test_a_lease_counts_from_when_its_renewal_was_sent(rig, monkeypatch):
    renew = rig.store.leases.renew

    async def slowly(*words, **more):
        rig.time.ms += 5000
        return await renew(*words, **more)

    monkeypatch.setattr(rig.store.leases, "renew", slowly)
    await rig.lease.start()
    rig.time.ms += int(TRUSTED_SHARE * TTL_SECONDS * 1000) - 5000
    assert not rig.lease.current()


async def test_a_lease_in_doubt_counts_again_once_it_was_renewed(rig):
    await rig.lease.start()
    rig.lease.doubt()
    assert not rig.lease.current()
    await rig.lease.assure()
    assert rig.lease.current()
    assert rig.attached == []


async def test_it_is_renewed_in_time(rig):
    own = Rig(renew_seconds=0.01)
    try:
        await own.lease.start()
        first = own.lease.renewed_ms
        own.time.ms += 5000
        await eventually(lambda: own.lease.renewed_ms > first)
        own.time.ms += 5000
        assert own.lease.current()
    finally:
        await own.lease.stop()


async def test_renewing_goes_on_after_an_outage_of_the_store(rig):
    own = Rig(renew_seconds=0.01)
    try:
        await own.lease.start()
        own.memory.down = True
        own.time.ms += int(TTL_SECONDS * 1000) - 1
        assert not own.lease.current()
        with pytest.raises(StorageUnavailable):
            await own.lease.assure()
        own.memory.down = False
        await eventually(own.lease.current)
        assert own.lease.info.id == "node0"
    finally:
        await own.lease.stop()


async def test_assuring_renews_a_lease_in_doubt_once_for_all_who_wait(rig):
    await rig.lease.start()
    rig.time.ms += int(TTL_SECONDS * 1000) - 1
    asked = []
    renew = rig.store.leases.renew

    async def counted(*words, **more):
        asked.append(words)
        return await renew(*words, **more)

    rig.store.leases.renew = counted
    await asyncio.gather(*(rig.lease.assure() for _ in range(5)))
    assert len(asked) == 1
    assert rig.lease.current()


async def test_a_fenced_node_attaches_everybody_under_a_new_id_before_its_lease_counts(rig):
    await rig.lease.start()
    await rig.reaped()
    await rig.lease.assure()
    assert rig.attached == ["node1"]
    assert rig.lease.info.id == "node1"
    assert rig.lease.fenced_count == 1
    assert rig.lease.current()
    assert not await rig.store.leases.alive("node0")


async def test_a_node_that_is_fenced_twice_in_a_row_starts_over_twice(rig):
    await rig.lease.start()
    await rig.reaped()
    await rig.lease.assure()
    await rig.reaped()
    await rig.lease.assure()
    assert rig.attached == ["node1", "node2"]


async def test_a_fenced_node_whose_new_lease_is_not_taken_does_not_act(rig, monkeypatch):
    await rig.lease.start()

    async def never(*_words, **_more):
        return False

    with monkeypatch.context() as patch:
        patch.setattr(rig.store.leases, "renew", never)
        rig.time.ms += int(TTL_SECONDS * 1000)
        with pytest.raises(Unavailable):
            await rig.lease.assure()
    assert not rig.lease.current()
    assert rig.attached == []


async def test_at_the_end_the_lease_is_given_back(rig):
    await rig.lease.start()
    await rig.lease.stop()
    assert not rig.lease.current()
    assert not await rig.store.leases.alive("node0")
    assert await rig.store.leases.lapsed() == ()


async def test_the_end_does_not_need_the_store(rig):
    await rig.lease.start()
    rig.memory.down = True
    await rig.lease.stop()
    assert not rig.lease.current()
    rig.memory.down = False


async def test_a_node_that_retires_is_known_to_drain_at_once_and_keeps_its_lease(rig):
    await rig.lease.start()
    assert [node.id for node in await rig.store.leases.serving()] == ["node0"]
    await rig.lease.retire()
    assert await rig.store.leases.serving() == ()
    assert rig.lease.current()


async def test_a_node_retires_also_while_the_store_is_away(rig, monkeypatch):
    await rig.lease.start()

    async def away(*_words, **_options):
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(rig.store.leases, "renew", away)
        await rig.lease.retire()
    assert rig.lease.draining


async def test_a_fence_whose_new_id_could_not_be_entered_at_first_is_not_forgotten(rig, monkeypatch):
    await rig.lease.start()
    await rig.reaped()
    renew, failures = rig.store.leases.renew, iter([False, True])

    async def flapping(*words, **more):
        if next(failures, False):
            raise StorageUnavailable
        return await renew(*words, **more)

    monkeypatch.setattr(rig.store.leases, "renew", flapping)
    with pytest.raises(Unavailable):
        await rig.lease.assure()
    assert rig.attached == []
    await rig.lease.assure()
    assert rig.attached == ["node1"]
    assert rig.lease.current()


async def test_who_runs_out_of_patience_does_not_leave_sessions_unattached(rig, monkeypatch):
    await rig.lease.start()
    await rig.reaped()
    begun, go = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        begun.set()
        await go.wait()
        rig.attached.append(rig.lease.info.id)

    monkeypatch.setattr(rig.lease, "_attach_all", slowly)
    impatient = asyncio.create_task(rig.lease.assure())
    await begun.wait()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    assert not rig.lease.current()
    go.set()
    await rig.lease.assure()
    assert rig.attached == ["node1"]


async def test_an_attachment_that_failed_is_done_again_before_the_lease_counts(rig, monkeypatch):
    await rig.lease.start()
    await rig.reaped()
    attach_all, mistakes = rig._attach_all, iter([True])

    async def failing() -> None:
        if next(mistakes, False):
            raise RuntimeError
        await attach_all()

    monkeypatch.setattr(rig.lease, "_attach_all", failing)
    with pytest.raises(RuntimeError):
        await rig.lease.assure()
    assert not rig.lease.current()
    await rig.lease.assure()
    assert rig.attached == ["node1"]
