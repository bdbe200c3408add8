"""The numbers of a cluster of two nodes on one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Counts
from exchange.node.census import Census
from tests.harness.world import Place


def census_of(place: Place) -> Census:
    return Census(place.store.tallies, place.roster, lambda: place.info)


async def test_everybody_is_read_and_this_node_is_as_of_now(here, there):
    there.connect()
    await census_of(there).report()
    there.connect()
    here.connect()
    tally = await census_of(here).read()
    assert {info.id: one.connections_count for info, one in tally.nodes} == {"here": 1, "there": 1}
    assert tally.counts.connections == 2


async def test_totals_grow_by_what_was_not_reported_yet_and_by_nothing_else(here):
    census = census_of(here)
    for total in (1, 2, 3):
        here.connect()
        assert (await census.read()).counts.connections == total
        await census.report()
        assert (await census.read()).counts.connections == total


async def test_totals_outlive_the_node_that_counted_them(here, there):
    there.connect()
    await census_of(there).report()
    await there.store.leases.leave("there")
    tally = await census_of(here).read()
    assert [info.id for info, _ in tally.nodes] == ["here"]
    assert tally.counts == Counts(connections=1, messages=0)


async def test_the_latest_numbers_are_there_without_asking(here):
    census = census_of(here)
    assert census.latest.nodes == ()
    assert await census.read() is census.latest


async def test_a_report_that_was_not_sent_is_made_up_for(here, memory):
    census = census_of(here)
    here.connect()
    memory.down = True
    with pytest.raises(StorageUnavailable):
        await census.report()
    memory.down = False
    await census.report()
    assert (await census.read()).counts.connections == 1


async def test_a_report_that_was_perhaps_sent_is_not_sent_again(here, monkeypatch):
    census = census_of(here)
    here.connect()
    report = here.store.tallies.report

    async def unsure(*words, **more):
        await report(*words, **more)
        raise StorageUnavailable(sent=True)

    with monkeypatch.context() as patch:
        patch.setattr(here.store.tallies, "report", unsure)
        with pytest.raises(StorageUnavailable):
            await census.report()
    await census.report()
    assert (await census.read()).counts.connections == 1


async def test_ends_and_pairs_of_this_node_are_told_with_its_numbers(here, there):
    numbers = [3, 2]
    paired = lambda: tuple(numbers)  # noqa: E731
    census = Census(here.store.tallies, here.roster, lambda: here.info, paired)
    await census.report()
    numbers[:] = [5, 4]
    assert [(one.ends_count, one.pairs_count) for _, one in (await census.read()).nodes if one.ends_count] == [(5, 4)]
    seen = {info.id: (one.ends_count, one.pairs_count) for info, one in (await census_of(there).read()).nodes}
    assert seen == {"here": (3, 2), "there": (0, 0)}
