"""Nodes that die, freeze or are drained under one side of a pair (CORAL-7, -14, -24, -32, DEL-48, WIRE-10)."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster, cluster
from tests.harness.pairs import AWAY, PLENTY, REPLACED, PairEnd, pairs_at, said
from tests.harness.waiting import WAIT_SECONDS

PRESENCE_SECONDS = 15.0
"""Within this time the peer hears of the death of a node."""
PAIRS = 20
QUICK = {
    "EXCHANGE_LEASE__TTL_SECONDS": "2",
    "EXCHANGE_LEASE__RENEW_SECONDS": "0.4",
    "EXCHANGE_LEASE__REAP_SECONDS": "0.3",
    "EXCHANGE_LEASE__STORE_UP_SECONDS": "1",
}

pytestmark = [pytest.mark.serial, pytest.mark.timeout(180)]


@pytest.fixture
def box() -> Iterator[Cluster]:
    """Two nodes and a worker with the lease times of the product."""
    with cluster(2, workers=1, settings=PLENTY) as running:
        yield running


@pytest.fixture
def quick_box() -> Iterator[Cluster]:
    """The same with short leases."""
    with cluster(2, workers=1, settings=PLENTY | QUICK) as running:
        yield running


def ports(box: Cluster) -> list[int]:
    return [node.port for node in box.nodes]


async def talk(sender: PairEnd, receiver: PairEnd, word: str) -> None:
    """Prove that a frame arrives now, and that nothing of the same kind came before it since the last one."""
    before = len(receiver.payloads("chat.send"))
    sender.write(said("chat.send", word=word))
    await receiver.until(lambda: len(receiver.payloads("chat.send")) > before)
    assert receiver.payloads("chat.send")[before:] == [{"word": word}]


async def test_the_peers_of_a_killed_node_hear_of_it_in_time_and_of_the_return_on_the_other_node(box: Cluster) -> None:
    async with pairs_at(ports(box)) as relay:
        tokens = [await relay.token() for _ in range(PAIRS)]
        phones = [(await relay.pair(token))[0] for token in tokens]
        box.nodes[1].kill()
        async with asyncio.timeout(PRESENCE_SECONDS):
            await asyncio.gather(
                *(phone.until(lambda phone=phone: "offline" in phone.statuses, WAIT_SECONDS) for phone in phones)
            )
        for token, phone in zip(tokens, phones, strict=True):
            assert await relay.connected(token) == {"phone": True, "agent": False}
            phone.write(said("chat.send", word="lost"))
            await phone.until(lambda phone=phone: phone.refusals == ["Peer is not connected"])
            agent = await relay.enter(token, "agent", 0)
            await phone.until(lambda phone=phone: phone.statuses[-1] == "online")
            await talk(phone, agent, "there")
            await talk(agent, phone, "and back")
            assert phone.statuses == ["online", "offline", "online"]


async def test_a_drained_node_says_so_at_once_and_its_ends_go_on_at_the_other_one(box: Cluster) -> None:
    async with pairs_at(ports(box)) as relay:
        tokens = [await relay.token() for _ in range(PAIRS)]
        pairs = [await relay.pair(token) for token in tokens]
        # The worker stands still: what the phones hear they are told by the node that goes.
        box.workers[0].freeze()
        box.nodes[1].signal(signal.SIGTERM)
        for phone, agent in pairs:
            assert await agent.closed() == 1001
            await phone.until(lambda phone=phone: phone.statuses == ["online", "offline"])
        for token, (phone, _) in zip(tokens, pairs, strict=True):
            agent = await relay.enter(token, "agent", 0)
            await phone.until(lambda phone=phone: phone.statuses == ["online", "offline", "online"])
            await talk(phone, agent, "there")
        assert box.nodes[1].process is not None
        assert await asyncio.to_thread(box.nodes[1].process.wait, WAIT_SECONDS) == 0
        assert "drain.unfinished" not in box.nodes[1].log.read_text()


async def test_what_a_frozen_node_still_has_of_a_replaced_end_reaches_nobody(quick_box: Cluster) -> None:
    async with pairs_at(ports(quick_box)) as relay:
        token = await relay.token()
        phone, frozen = await relay.pair(token)
        await talk(frozen, phone, "before")
        quick_box.nodes[1].freeze()
        # It lies in the kernel and is read when the node goes on.
        frozen.write(*(said("chat.send", word="stale") for _ in range(20)))
        await phone.until(lambda: phone.statuses == ["online", "offline"])  # the worker freed the slot
        assert await relay.connected(token) == {"phone": True, "agent": False}
        agent = await relay.enter(token, "agent", 0)
        await phone.until(lambda: phone.statuses == ["online", "offline", "online"])
        await talk(agent, phone, "fresh")
        quick_box.nodes[1].thaw()
        assert await frozen.closed() in {AWAY, REPLACED}  # it learns first of its lease, or of its successor
        await talk(agent, phone, "still here")  # and nothing stale before it
        await talk(phone, agent, "you too")
        assert phone.statuses == ["online", "offline", "online"]
        assert await relay.connected(token) == {"phone": True, "agent": True}


async def test_an_end_of_a_frozen_node_that_nobody_replaced_cannot_speak_for_the_slot_it_lost(
    quick_box: Cluster,
) -> None:
    async with pairs_at(ports(quick_box)) as relay:
        token = await relay.token()
        phone, frozen = await relay.pair(token)
        quick_box.nodes[1].freeze()
        frozen.write(*(said("chat.send", word="stale") for _ in range(20)))
        await phone.until(lambda: phone.statuses == ["online", "offline"])
        quick_box.nodes[1].thaw()
        assert await frozen.closed() == AWAY
        assert frozen.refusals == []
        # The node serves again, under a new lease.
        agent = await relay.insist(token, "agent", 1)
        await phone.until(lambda: phone.statuses == ["online", "offline", "online"])
        await talk(agent, phone, "fresh")
        assert [one["word"] for one in phone.payloads("chat.send")] == ["fresh"]


async def test_a_node_that_stood_still_for_less_than_its_lease_loses_nothing(box: Cluster) -> None:
    async with pairs_at(ports(box)) as relay:
        token = await relay.token()
        phone, agent = await relay.pair(token)
        box.nodes[1].freeze()
        phone.write(*(said("chat.send", n=n) for n in range(50)))
        agent.write(*(said("chat.send", n=n) for n in range(50)))
        box.nodes[1].thaw()
        for end in (phone, agent):
            await end.until(lambda end=end: len(end.payloads("chat.send")) == 50)
            assert [one["n"] for one in end.payloads("chat.send")] == [*range(50)]
        assert phone.statuses == ["online"]
