"""Tokens on two nodes: deletion in use, and who may register how often (CORAL-27, CORAL-30, CORAL-36)."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.harness.cluster import Cluster, cluster
from tests.harness.pairs import PLENTY, Pairs, pairs_at, said, sized

PAIRS = 10
DELETED_SECONDS = 1.0
"""CORAL-27."""
ATTEMPTS = 20
REGISTRATIONS = 5

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def box() -> Iterator[Cluster]:
    with cluster(2, settings=PLENTY) as running:
        yield running


@pytest.fixture
async def relay(box: Cluster) -> AsyncIterator[Pairs]:
    async with pairs_at([node.port for node in box.nodes]) as pairs:
        yield pairs


async def test_deleting_a_token_on_one_node_closes_both_ends_on_both_nodes_within_a_second(relay: Pairs) -> None:
    for number in range(PAIRS):
        token = await relay.token(number % 2)
        phone, agent = await relay.pair(token)
        phone.write(sized(300, 0))
        await agent.until(lambda agent=agent: agent.payloads("chat.send"))
        deleted = await relay.ask("DELETE", f"/api/v1/pair/{token}", number % 2)
        assert deleted.status_code == 204
        codes = await asyncio.gather(phone.closed(DELETED_SECONDS), agent.closed(DELETED_SECONDS))
        assert codes == [1008, 1008]
        assert await relay.connected(token, 1 - number % 2) == {"phone": False, "agent": False}
        assert agent.statuses == []
        assert phone.statuses == ["online"]  # nobody is told that the other one went: both did
        assert phone.refusals == agent.refusals == []
        for node in (0, 1):
            late = await relay.dial("phone", node)
            late.enter(token)
            assert await late.closed() == 1008
            assert [one.type for one in late.heard] == ["auth.fail"]


async def test_frames_sent_around_a_deletion_are_passed_on_or_dropped_but_never_answered(relay: Pairs) -> None:
    for number in range(PAIRS):
        token = await relay.token()
        phone, agent = await relay.pair(token)

        async def talk(phone=phone) -> None:
            for n in range(200):
                phone.write(said("chat.send", n=n))
                await asyncio.sleep(0.001)

        talking = asyncio.ensure_future(talk())
        await agent.until(lambda agent=agent: agent.payloads("chat.send"))
        await relay.ask("DELETE", f"/api/v1/pair/{token}", 1 - number % 2)
        assert await asyncio.gather(phone.closed(), agent.closed()) == [1008, 1008]
        await talking
        got = [one["n"] for one in agent.payloads("chat.send")]
        assert got == [*range(len(got))]
        assert phone.refusals == []


async def test_of_many_registrations_from_one_address_on_two_nodes_at_once_five_succeed(relay: Pairs) -> None:
    for number in range(5):
        address = f"127.77.0.{1 + number}"
        answers = await asyncio.gather(
            *(relay.ask("POST", "/api/v1/register", each % 2, address=address) for each in range(ATTEMPTS))
        )
        assert sorted(one.status_code for one in answers) == [201] * REGISTRATIONS + [429] * (ATTEMPTS - REGISTRATIONS)
        assert len({one.json()["token"] for one in answers if one.status_code == 201}) == REGISTRATIONS
        assert {one.text.strip() for one in answers if one.status_code == 429} == {"Rate limit exceeded (5/hour)"}


async def test_a_slot_entered_while_its_token_is_deleted_on_the_other_node_ends_in_any_case(relay: Pairs) -> None:
    for number in range(100):
        token = await relay.token()
        end = await relay.dial("agent", number % 2)
        end.enter(token, said("key_exchange", n=number))
        response = await relay.ask("DELETE", f"/api/v1/pair/{token}", 1 - number % 2)
        assert response.status_code == 204
        assert await end.closed() == 1008
        # It was quick enough to get in, or it was not.
        assert [one.type for one in end.heard][:1] in (["auth.ok"], ["auth.fail"])
        assert await relay.connected(token) == {"phone": False, "agent": False}
