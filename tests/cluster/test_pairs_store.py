"""Pairs on two nodes while their store is killed or stands still (CORAL-7, CORAL-28, CORAL-37, WIRE-7)."""

import signal
from collections.abc import AsyncIterator, Callable

import pytest
import redis

from tests.harness.cluster import Cluster, cluster
from tests.harness.pairs import AWAY, PLENTY, PairEnd, Pairs, pairs_at, said, sized

PAIRS = 5
NOBODY = "oc_pair_" + "0" * 32
QUICK = {
    "EXCHANGE_RELAY__UNPROVEN_SECONDS": "3",
    "EXCHANGE_REDIS__PROBE_SECONDS": "1",
    "EXCHANGE_LEASE__TTL_SECONDS": "2",
    "EXCHANGE_LEASE__RENEW_SECONDS": "0.4",
    "EXCHANGE_LEASE__REAP_SECONDS": "0.3",
    "EXCHANGE_LEASE__STORE_UP_SECONDS": "1",
}
KEPT = ("--appendonly", "yes", "--appendfsync", "always")
TROUBLES: dict[str, tuple[Callable[[Cluster], None], Callable[[Cluster], None]]] = {
    "killed": (lambda box: box.valkey.stop(), lambda box: box.valkey.start()),
    "frozen": (lambda box: box.valkey.signal(signal.SIGSTOP), lambda box: box.valkey.signal(signal.SIGCONT)),
}
"""How the store fails, and how it comes back."""

pytestmark = [pytest.mark.serial, pytest.mark.timeout(180)]


@pytest.fixture
async def box() -> AsyncIterator[Cluster]:
    with cluster(2, workers=1, settings=PLENTY | QUICK, store_options=KEPT) as running:
        yield running


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_nobody_is_told_a_lie_while_the_store_is_away_and_all_goes_on_afterwards(
    box: Cluster, trouble: str
) -> None:
    fail, mend = TROUBLES[trouble]
    async with pairs_at([node.port for node in box.nodes]) as relay:
        tokens = [await relay.token() for _ in range(PAIRS)]
        pairs = [await relay.pair(token) for token in tokens]
        for phone, agent in pairs:
            phone.write(sized(700, 0))
            await agent.until(lambda agent=agent: agent.payloads("chat.send"))
        fail(box)
        try:
            await turned_away(relay, [*tokens[:2], NOBODY])
            for phone, _ in pairs[:2]:
                phone.write(said("chat.send", n=1))  # the others say nothing and are closed as well
            for end in (end for pair in pairs for end in pair):
                assert await end.closed() == AWAY
        finally:
            mend(box)
        for phone, agent in pairs:
            assert phone.refusals == agent.refusals == []  # CORAL-37: nothing invented from ignorance
            assert (phone.statuses, agent.statuses) == (["online"], [])
        for token in tokens:
            await go_on(relay, token)


async def turned_away(relay: Pairs, tokens: list[str]) -> None:
    """Prove that newcomers are closed without a frame, those with a wrong token, too: the store was not asked (CORAL-6)."""
    for node, token in enumerate(tokens):
        newcomer = await relay.dial("agent", node % 2)
        newcomer.enter(token, said("key_exchange", pubkey="x"))
        assert await newcomer.closed() == AWAY
        assert newcomer.heard == []


async def go_on(relay: Pairs, token: str) -> None:
    """Come back, talk both ways, and find what was used before."""
    phone = await relay.insist(token, "phone", 1)
    assert phone.heard[0].payload["daily_used_bytes"] == 700
    agent = await relay.insist(token, "agent", 0)
    await phone.until(lambda: "online" in phone.statuses)
    await passes(phone, agent)
    await passes(agent, phone)
    assert await relay.used_bytes(token, 0) == (900, 900)
    assert await relay.used_bytes(token, 1) == (900, 900)


async def passes(sender: PairEnd, receiver: PairEnd) -> None:
    sender.write(sized(100, 7))
    await receiver.until(lambda: [one["n"] for one in receiver.payloads("chat.send")] == [7])


async def test_ends_whose_node_may_have_missed_something_are_closed_and_come_back(box: Cluster) -> None:
    async with pairs_at([node.port for node in box.nodes]) as relay:
        token = await relay.token()
        phone, agent = await relay.pair(token)
        phone.write(sized(700, 0))
        await agent.until(lambda: agent.payloads("chat.send"))
        with redis.Redis(unix_socket_path=str(box.valkey.socket)) as store:
            assert store.client_kill_filter(_type="pubsub") > 0
        assert {await phone.closed(), await agent.closed()} == {AWAY}
        assert phone.refusals == agent.refusals == []
        await go_on(relay, token)


async def test_a_store_that_stands_still_for_a_moment_costs_nobody_the_connection(box: Cluster) -> None:
    async with pairs_at([node.port for node in box.nodes]) as relay:
        phone, agent = await relay.pair(await relay.token())
        box.valkey.signal(signal.SIGSTOP)
        phone.write(*(said("chat.send", n=n) for n in range(20)))
        agent.write(*(said("chat.send", n=n) for n in range(20)))
        box.valkey.signal(signal.SIGCONT)
        for end in (phone, agent):
            await end.until(lambda end=end: len(end.payloads("chat.send")) == 20)
            assert [one["n"] for one in end.payloads("chat.send")] == [*range(20)]
