"""What the pages of a node tell, with two nodes on one store in memory (WIRE-3, WIRE-12, CORAL-32)."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import Role
from exchange.facts import Facts
from exchange.node.census import Census
from exchange.node.readiness import Readiness
from magi import __version__
from tests.harness.joints import Joint


class Side:
    """A node and what it tells."""

    def __init__(self, joint: Joint, public_url: str = "") -> None:
        board = joint.switchboard
        self.joint = joint
        self.census = Census(
            joint.store.tallies, joint.roster, lambda: joint.info, lambda: (len(board), board.pairs_count)
        )
        self.readiness = Readiness(joint.tenure.current)
        self.facts = Facts(self.census, joint.store.clock, self.readiness, "memory", public_url)


@pytest.fixture
async def here(memory) -> Side:
    return Side(await Joint(memory, "here").start())


@pytest.fixture
async def there(memory) -> Side:
    return Side(await Joint(memory, "there").start())


async def test_ends_and_pairs_are_counted_over_all_nodes_and_a_pair_once(here, there):
    assert await here.facts.paired() == (0, 0)
    await here.joint.pair()
    phone = await here.joint.attend(Role.PHONE)
    agent = await there.joint.attend(Role.AGENT)
    await there.census.report()
    assert await here.facts.paired() == (2, 1)
    await here.joint.forgets(phone)
    await there.census.report()
    assert await here.facts.paired() == (1, 1)
    await there.joint.forgets(agent)
    await there.census.report()
    assert await here.facts.paired() == (0, 0)


async def test_without_the_store_the_counts_are_those_of_the_last_reading(here):
    await here.joint.pair()
    await here.joint.attend(Role.PHONE)
    await here.census.read()
    here.joint.memory.down = True
    assert await here.facts.paired() == (1, 1)
    with pytest.raises(StorageUnavailable):
        await here.facts.statistics()


async def test_statistics_and_status_are_read_anew_and_health_is_not(here):
    await here.joint.identified("ann")
    assert (await here.facts.statistics())["liveClients"] == 1
    status = await here.facts.status("http://relay.example")
    assert status["endpoints"]["dashboard"] == "http://relay.example/"
    assert status["version"] == __version__
    here.joint.memory.down = True
    assert here.facts.health()


async def test_the_configured_address_is_shown_instead_of_the_one_that_was_asked(here):
    facts = Side(here.joint, "https://public.example").facts
    status = await facts.status("http://10.0.0.1")
    assert status["endpoints"]["websocket"].startswith("wss://public.example")


async def test_the_exchange_is_as_old_as_its_oldest_node(here, memory):
    await here.census.read()
    memory.now_ms.ms += 12_500
    assert here.facts.uptime_seconds() == 12.5


async def test_reasons_against_traffic_are_words(here):
    here.readiness.draining = True
    assert "draining" in here.facts.reasons()
    assert all(isinstance(reason, str) for reason in here.facts.reasons())
