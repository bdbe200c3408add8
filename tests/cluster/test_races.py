"""Two nodes, one prize: of simultaneous requests on different nodes exactly one succeeds (MAGI-19, MAGI-29, MAGI-52)."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.conformance.magi.client import PlainClient
from tests.harness.cluster import HOST, Cluster, cluster

ROUNDS = 200

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def box() -> Iterator[Cluster]:
    unlimited = {"EXCHANGE_LIMITS__REDEEM_FAILURES_CONNECTION_COUNT": "100000"}
    unlimited["EXCHANGE_LIMITS__REDEEM_FAILURES_ADDRESS_COUNT"] = "100000"
    with cluster(2, settings=unlimited) as running:
        yield running


async def dial(box: Cluster, node: int) -> PlainClient:
    return await (await PlainClient.dial(box.nodes[node].url, address=HOST)).greeted()


async def test_one_code_redeemed_on_two_nodes_at_once_has_exactly_one_winner(box: Cluster) -> None:
    inviter, left, right = await dial(box, 0), await dial(box, 0), await dial(box, 1)
    await inviter.identify("inviter", "Inviter")
    await left.identify("left", "Left")
    await right.identify("right", "Right")
    wins = {"left": 0, "right": 0}
    for _ in range(ROUNDS):
        await inviter.send({"type": "create_invite"})
        code = (await inviter.expect("invite_created"))["code"]
        await asyncio.gather(*(client.send({"type": "connect", "code": code}) for client in (left, right)))
        outcomes = {"left": await left.next(), "right": await right.next()}
        winners = [name for name, frame in outcomes.items() if frame["type"] == "connected_to_friend"]
        losers = [frame for frame in outcomes.values() if frame["type"] == "error"]
        assert len(winners) == 1, outcomes
        assert [frame["message"] for frame in losers] == ["Invalid or expired invitation code"]
        told = await inviter.expect("friend_connected")
        assert told["friend"]["username"] == winners[0]
        wins[winners[0]] += 1
    await inviter.nothing_more()
    assert sum(wins.values()) == ROUNDS
    await asyncio.gather(*(client.close() for client in (inviter, left, right)))


async def test_one_name_claimed_on_two_nodes_at_once_has_exactly_one_holder(box: Cluster) -> None:
    left, right = await dial(box, 0), await dial(box, 1)
    for number in range(ROUNDS):
        claim = {"type": "identify", "username": f"name-{number}"}
        await asyncio.gather(left.send(claim), right.send(claim))
        frames = [await left.next(), await right.next()]
        assert sorted(frame["type"] for frame in frames) == ["error", "identified"], frames
        assert [frame["message"] for frame in frames if frame["type"] == "error"] == ["Username already taken"]
    await asyncio.gather(left.close(), right.close())
