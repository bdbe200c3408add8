"""What ``exchange.ports.Clock`` promises."""

from exchange.core.model import NodeInfo
from exchange.ports import Store
from tests.contract.conftest import PassTime

NODE = NodeInfo("n1", "0.1.0", 0)
APART_MS = 2_000
"""More than two estimates of one clock may differ, on a machine that is busy."""


async def test_two_nodes_agree_on_the_time_after_a_renewal(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.leases.renew(NODE, ttl_ms=10_000, draining=False)
    await two.leases.renew(NodeInfo("n2", "0.1.0", 0), ttl_ms=10_000, draining=False)
    assert abs(one.clock.now_ms() - two.clock.now_ms()) < APART_MS


async def test_the_time_goes_on_between_renewals(store: Store, pass_time: PassTime) -> None:
    await store.leases.renew(NODE, ttl_ms=10_000, draining=False)
    before_ms = store.clock.now_ms()
    await pass_time(50)
    assert store.clock.now_ms() - before_ms >= 45


async def test_the_steady_clock_counts_seconds(store: Store, pass_time: PassTime) -> None:
    before = store.clock.steady()
    await pass_time(50)
    assert store.clock.steady() - before >= 0.045
