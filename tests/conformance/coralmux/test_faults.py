"""Stores that fail, nodes that die, and what must never be said or shown (CORAL-7, -14, -26, -31, -37, WIRE-7)."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import redis

from tests.conformance.coralmux.client import Client, envelope, one_after, padded
from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.cluster import Cluster, cluster
from tests.harness.in_process import Running, in_process
from tests.harness.valkey import Valkey
from tests.harness.waiting import WAIT_SECONDS, eventually

QUICK = {"relay": {"unproven_seconds": 3}, "redis": {"probe_seconds": 0.5}}
LEASES = {
    "EXCHANGE_LEASE__TTL_SECONDS": "2",
    "EXCHANGE_LEASE__RENEW_SECONDS": "0.4",
    "EXCHANGE_LEASE__REAP_SECONDS": "0.3",
    "EXCHANGE_LEASE__STORE_UP_SECONDS": "1",
}
ANSWER_SECONDS = 8.0
"""CORAL-8."""
PRESENCE_SECONDS = 15.0
"""CORAL-14, WIRE-10."""
CANARY = "canary-payload"


@contextlib.asynccontextmanager
async def two_nodes(valkey: Valkey | None = None, **overrides: Any) -> AsyncIterator[Place]:
    async with in_process("memory" if valkey is None else "redis", {**QUICK, **overrides}, valkey) as running:
        place = Place("memory" if valkey is None else "redis", running)
        try:
            yield place
        finally:
            await place.leave()


@pytest.fixture
def quick_box() -> Iterator[Cluster]:
    """Two nodes and a worker with short leases."""
    with cluster(2, workers=1, settings=LEASES) as running:
        yield running


@pytest.fixture
def usual_box() -> Iterator[Cluster]:
    """Two nodes and a worker with the leases of the product."""
    with cluster(2, workers=1) as running:
        yield running


@contextlib.asynccontextmanager
async def at(box: Cluster) -> AsyncIterator[Place]:
    place = Place("processes", Running(ports=[node.port for node in box.nodes]))
    try:
        yield place
    finally:
        await place.leave()


async def closed_in_time(client: Client) -> None:
    """Prove that a client is closed with 1013 and hears nothing before."""
    await client.expect_close(1013, seconds=ANSWER_SECONDS)


@covers("CORAL-37", "CORAL-7", "CORAL-6")
async def test_while_the_store_is_away_newcomers_are_closed_without_a_frame():
    async with two_nodes() as place:
        token = await place.token()
        place.running.memory.down = True
        for one in (token, "oc_pair_" + "0" * 32):
            client = await place.dial()
            await client.say("auth", {"token": one, "role": "agent"})
            await closed_in_time(client)
        place.running.memory.down = False
        await place.phone(token)


@covers("CORAL-37", "CORAL-19")
async def test_while_the_store_is_away_nobody_is_told_that_the_peer_is_gone():
    async with two_nodes() as place:
        token = await place.token()
        phone, agent = await place.pair(token)
        place.running.memory.down = True
        await phone.say("chat.send")
        await phone.expect_close(1013)
        await agent.expect_close(1013)
        place.running.memory.down = False
        await place.until(token, phone=False, agent=False)
        phone, agent = await place.pair(token)
        await one_after(phone, agent)


@covers("CORAL-37", "CORAL-7", "CORAL-8")
async def test_a_frozen_store_closes_newcomers_in_time_and_then_everybody(own_valkey: Valkey):
    async with two_nodes(own_valkey) as place:
        token, other = await place.token(), await place.token()
        phone, agent = await place.pair(token)
        own_valkey.signal(signal.SIGSTOP)
        try:
            await phone.say("chat.send")
            for one in (other, token, "oc_pair_" + "0" * 32):
                client = await place.dial()
                await client.say("auth", {"token": one, "role": "phone"})
                await closed_in_time(client)
            await phone.expect_close(1013)
            await agent.expect_close(1013)
        finally:
            own_valkey.signal(signal.SIGCONT)
        await _again(place, token)


@covers("CORAL-37", "CORAL-28")
async def test_a_store_that_is_started_again_ends_all_connections_and_they_come_back(tmp_path):
    valkey = Valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    valkey.start()
    try:
        async with two_nodes(valkey) as place:
            token = await place.token()
            phone, agent = await place.pair(token)
            await phone.passes(agent, padded(300))
            valkey.terminate()
            valkey.start()
            await phone.expect_close(1013)
            await agent.expect_close(1013)
            await _again(place, token)
            assert (await place.usage(token))["daily_used_bytes"] >= 300
    finally:
        valkey.stop()


@covers("CORAL-37")
async def test_http_says_503_while_the_store_is_away_and_invents_nothing():
    async with two_nodes() as place:
        token = await place.token()
        await place.phone(token)
        place.running.memory.down = True
        assert (await place.request("GET", f"/api/v1/pair/{token}")).status_code == 503
        assert (await place.request("DELETE", f"/api/v1/pair/{token}")).status_code == 503
        assert (await place.request("POST", "/api/v1/register")).status_code == 503
        headers = {"Authorization": f"Bearer {token}"}
        assert (await place.request("GET", "/api/v1/usage", headers=headers)).status_code == 503
        assert (await place.request("POST", "/api/v1/pair")).status_code == 503
        assert (await place.request("GET", "/health")).status_code == 200
        place.running.memory.down = False
        assert (await place.request("GET", f"/api/v1/pair/{token}")).status_code == 200


@covers("CORAL-14", "CORAL-7")
async def test_a_node_that_stops_closes_in_order_and_the_peer_hears_of_it():
    async with two_nodes() as place:
        token = await place.token()
        phone, agent = await place.pair(token)
        node = place.running.nodes.pop(0)
        stopping = asyncio.ensure_future(node.stop())
        await phone.expect_close(1001)
        await agent.peer("offline")
        await agent.nothing_more()
        async with asyncio.timeout(WAIT_SECONDS):
            await stopping
        place.running.ports.pop(0)
        phone = await place.phone(token, paired=True)
        await agent.peer("online")
        await one_after(phone, agent)


@pytest.mark.serial
@pytest.mark.timeout(180)
@covers("CORAL-14", "CORAL-32")
async def test_when_a_node_dies_the_peers_hear_of_it_once_and_the_slots_are_free(usual_box: Cluster):
    async with at(usual_box) as place:
        tokens = [await place.token() for _ in range(10)]
        pairs = [await place.pair(token) for token in tokens]
        usual_box.nodes[1].kill()
        place.running.ports.pop()
        for phone, _ in pairs:
            async with asyncio.timeout(PRESENCE_SECONDS):
                await phone.peer("offline")
        for token, (phone, _) in zip(tokens, pairs, strict=True):
            await phone.nothing_more()
            assert await place.connected(token) == {"phone": True, "agent": False}
            await phone.say("chat.send")
            await phone.refused("PEER_OFFLINE", "Peer is not connected")
            agent = await place.agent(token, 0, paired=True)
            await phone.peer("online")
            await one_after(agent, phone)


@pytest.mark.serial
@pytest.mark.timeout(180)
@covers("CORAL-14", "CORAL-24")
async def test_who_comes_back_before_the_death_of_its_node_is_noticed_is_never_called_offline(quick_box: Cluster):
    async with at(quick_box) as place:
        token, other = await place.token(), await place.token()
        phone, _ = await place.pair(token)
        witness, _ = await place.pair(other)
        quick_box.nodes[1].kill()
        place.running.ports.pop()
        agent = await place.agent(token, 0, paired=True)
        await phone.peer("online")
        # The worker has been through the dead node's slots when the other pair hears of it.
        async with asyncio.timeout(PRESENCE_SECONDS):
            await witness.peer("offline")
        await one_after(agent, phone)
        await phone.nothing_more()


@pytest.mark.serial
@pytest.mark.timeout(180)
@covers("CORAL-22")
async def test_what_was_used_and_who_is_paired_outlive_the_nodes(quick_box: Cluster):
    async with at(quick_box) as place:
        token = await place.token()
        phone, agent = await place.pair(token)
        await phone.passes(agent, padded(300))
        await place.leave()
        for node in quick_box.nodes:
            node.stop()
        for node in quick_box.nodes:
            node.restart()
        await place.phone(token, daily_used_bytes=300, monthly_used_bytes=300, paired=False)


@covers("CORAL-26", "CORAL-31")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_log_warns_of_two_that_share_a_token_and_shows_no_token_payload_or_address(box: Cluster):
    async with at(box) as place:
        before = [node.log.stat().st_size for node in box.nodes]

        def logged() -> str:
            return "".join(
                node.log.read_bytes()[start:].decode() for node, start in zip(box.nodes, before, strict=True)
            )

        token = await place.token()
        agent = await place.agent(token, 1)
        for number in range(7):
            await place.phone(token, number)
            await agent.peer("online")
        assert "contested" not in logged()
        phone = await place.phone(token, 0)
        await agent.peer("online")
        await eventually(lambda: "contested" in logged())
        await phone.passes(agent, envelope("chat.send", {"text": CANARY}))
        wrong = await place.dial()
        await wrong.say("auth", {"token": token + "0", "role": "phone"})
        await wrong.turned_away("Invalid pairing token")
        await place.connected(token)
        await place.usage(token)
        await place.delete(token)
        await agent.expect_close(1008)
        for secret in (token, token[16:], token[:17], CANARY, place.address()):
            assert secret not in logged(), secret


@covers("CORAL-31")
@pytest.mark.asyncio(loop_scope="session")
async def test_metrics_show_neither_tokens_nor_addresses(box: Cluster):
    async with at(box) as place:
        token = await place.token()
        phone, agent = await place.pair(token)
        await one_after(phone, agent)
        async with httpx2.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as http:
            text = "".join([(await http.get(f"http://127.0.0.1:{node.ops_port}/metrics")).text for node in box.nodes])
        assert 'dialect="coralmux"' in text
        for secret in (token[:12], place.address()):
            assert secret not in text


@covers("CORAL-31", "CORAL-4")
async def test_neither_tokens_nor_payloads_are_ever_in_the_store(valkey: Valkey):
    seen: list[bytes] = []
    async with two_nodes(valkey) as place:
        token = await place.token()
        phone, agent = await place.pair(token)
        with redis.Redis(unix_socket_path=str(valkey.socket)) as raw:
            for number in range(5):
                await phone.passes(agent, envelope("chat.send", {"text": f"{CANARY}-{number}"}))
                seen += [key + (raw.dump(key) or b"") for key in raw.keys()]
    assert len(seen) > 10
    for secret in (token, token[16:], CANARY):
        assert not any(secret.encode() in record for record in seen), secret


async def _again(place: Place, token: str) -> tuple[Client, Client]:
    """Come back as soon as the exchange lets somebody in; nothing but closes with 1013 may be in the way."""
    phone, agent = await _insists(place, token, "phone", 0), await _insists(place, token, "agent", 1)
    await phone.peer("online")
    await one_after(phone, agent)
    return phone, agent


async def _insists(place: Place, token: str, role: str, node: int) -> Client:
    while True:
        client = await place.dial(node)
        await client.say("auth", {"token": token, "role": role})
        if await client.outlives(1013):
            return client
