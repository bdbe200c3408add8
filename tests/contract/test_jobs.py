"""What ``exchange.ports.Jobs`` promises."""

import asyncio

from exchange.ports import Store
from tests.contract.conftest import PassTime

LONG_MS = 60_000
SHORT_MS = 100


async def test_first_worker_becomes_the_holder_and_stays_it(stores: tuple[Store, Store]) -> None:
    one, _ = stores
    assert await one.jobs.hold("reap_nodes", "w1", ttl_ms=LONG_MS)
    assert await one.jobs.hold("reap_nodes", "w1", ttl_ms=LONG_MS)


async def test_another_worker_is_refused_while_the_job_is_held(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert await one.jobs.hold("reap_nodes", "w1", ttl_ms=LONG_MS)
    assert not await two.jobs.hold("reap_nodes", "w2", ttl_ms=LONG_MS)


async def test_jobs_have_holders_of_their_own(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert await one.jobs.hold("reap_nodes", "w1", ttl_ms=LONG_MS)
    assert await two.jobs.hold("settle_invites", "w2", ttl_ms=LONG_MS)


async def test_of_simultaneous_workers_exactly_one_holds_the_job(stores: tuple[Store, Store]) -> None:
    held = await asyncio.gather(
        *(stores[turn % 2].jobs.hold("reap_nodes", f"w{turn}", ttl_ms=LONG_MS) for turn in range(50))
    )
    assert sum(held) == 1


async def test_a_job_passes_on_when_its_holder_stops_renewing(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    assert await one.jobs.hold("reap_nodes", "w1", ttl_ms=SHORT_MS)
    await pass_time(SHORT_MS)
    assert await two.jobs.hold("reap_nodes", "w2", ttl_ms=LONG_MS)
    assert not await one.jobs.hold("reap_nodes", "w1", ttl_ms=LONG_MS)


async def test_holding_again_extends_the_lease(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    assert await one.jobs.hold("reap_nodes", "w1", ttl_ms=SHORT_MS)
    assert await one.jobs.hold("reap_nodes", "w1", ttl_ms=LONG_MS)
    await pass_time(SHORT_MS)
    assert not await two.jobs.hold("reap_nodes", "w2", ttl_ms=LONG_MS)
