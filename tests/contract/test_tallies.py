"""What ``exchange.ports.Tallies`` promises."""

import asyncio

from exchange.core.model import Counts, NodeInfo, NodeTally, UserGlimpse
from exchange.ports import Store
from tests.contract.conftest import PassTime

ONE = NodeInfo("n1", "0.1.0", 1_700_000_000_000)
TWO = NodeInfo("n2", "0.2.0", 1_700_000_000_001)
TALLY = NodeTally(
    identified_count=2,
    connections_count=3,
    link_ends_count=2,
    messages_per_second=0.5,
    last_message_ms=1_700_000_000_002,
    last_message_characters=230,
    users=(UserGlimpse("c1", "A", 1_700_000_000_003, linked=True), UserGlimpse("c2", "Ö", 4, linked=False)),
    ends_count=5,
    pairs_count=4,
)
NOTHING = Counts()
LONG_MS = 60_000
SHORT_MS = 100


async def test_an_empty_cluster_has_no_nodes_and_counted_nothing(store: Store) -> None:
    read = await store.tallies.read()
    assert (read.nodes, read.counts) == ((), Counts())


async def test_every_node_reads_the_numbers_of_all_nodes(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await two.leases.renew(TWO, ttl_ms=LONG_MS, draining=False)
    await one.tallies.report("n1", TALLY, NOTHING, ttl_ms=LONG_MS)
    await two.tallies.report("n2", NodeTally(connections_count=7), NOTHING, ttl_ms=LONG_MS)
    for view in stores:
        assert dict((await view.tallies.read()).nodes) == {ONE: TALLY, TWO: NodeTally(connections_count=7)}


async def test_a_later_report_replaces_the_earlier_one(store: Store) -> None:
    await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await store.tallies.report("n1", TALLY, NOTHING, ttl_ms=LONG_MS)
    await store.tallies.report("n1", NodeTally(), NOTHING, ttl_ms=LONG_MS)
    assert (await store.tallies.read()).nodes == ((ONE, NodeTally()),)


async def test_a_node_that_has_not_reported_counts_as_idle(store: Store) -> None:
    await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert (await store.tallies.read()).nodes == ((ONE, NodeTally()),)


async def test_numbers_run_out_when_a_node_stops_reporting(store: Store, pass_time: PassTime) -> None:
    await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await store.tallies.report("n1", TALLY, NOTHING, ttl_ms=SHORT_MS)
    await pass_time(SHORT_MS)
    assert (await store.tallies.read()).nodes == ((ONE, NodeTally()),)


async def test_a_node_without_a_lease_is_left_out(store: Store, pass_time: PassTime) -> None:
    await store.leases.renew(ONE, ttl_ms=SHORT_MS, draining=False)
    await store.leases.renew(TWO, ttl_ms=LONG_MS, draining=False)
    await store.tallies.report("n1", TALLY, NOTHING, ttl_ms=LONG_MS)
    await pass_time(SHORT_MS)
    assert (await store.tallies.read()).nodes == ((TWO, NodeTally()),)


async def test_a_reaped_node_is_left_out(store: Store, pass_time: PassTime) -> None:
    await store.leases.renew(ONE, ttl_ms=SHORT_MS, draining=False)
    await pass_time(SHORT_MS)
    await store.leases.reap("n1")
    assert (await store.tallies.read()).nodes == ()


async def test_totals_add_up_over_nodes_and_outlive_them(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await asyncio.gather(
        *(view.tallies.report("n1", TALLY, Counts(connections=1, messages=10), ttl_ms=LONG_MS) for view in stores * 5)
    )
    await one.leases.leave("n1")
    assert (await two.tallies.read()).counts == Counts(connections=10, messages=100)


async def test_what_was_read_stays_as_it_was(store: Store) -> None:
    before = (await store.tallies.read()).counts
    await store.tallies.report("n1", TALLY, Counts(connections=1, messages=1), ttl_ms=LONG_MS)
    assert before == Counts()
