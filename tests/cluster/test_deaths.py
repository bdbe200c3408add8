"""Nodes that die, freeze, or lose their store: friends are told once, names come free, sockets stay (MAGI-31, MAGI-55)."""

import asyncio
import signal
from collections.abc import Iterator

import pytest
import redis

from tests.conformance.magi.client import Frame, PlainClient, befriend, friend
from tests.harness.cluster import HOST, Cluster, cluster
from tests.harness.waiting import eventually

FRIENDS = 50
ELSEWHERE = "127.0.0.2"
PRESENCE_SECONDS = 15.0

pytestmark = [pytest.mark.serial, pytest.mark.timeout(180)]

QUICK = {
    "EXCHANGE_LEASE__TTL_SECONDS": "2",
    "EXCHANGE_LEASE__RENEW_SECONDS": "0.4",
    "EXCHANGE_LEASE__REAP_SECONDS": "0.3",
    "EXCHANGE_LEASE__STORE_UP_SECONDS": "1",
    "EXCHANGE_SESSION__GRACE_SECONDS": "1",
}


@pytest.fixture
def box() -> Iterator[Cluster]:
    """Two nodes and a worker with the lease times of the product."""
    with cluster(2, workers=1) as running:
        yield running


@pytest.fixture
def quick_box() -> Iterator[Cluster]:
    """The same with short leases."""
    with cluster(2, workers=2, settings=QUICK) as running:
        yield running


@pytest.fixture
def patient_box() -> Iterator[Cluster]:
    """Short leases and a long grace."""
    with cluster(2, workers=1, settings={**QUICK, "EXCHANGE_SESSION__GRACE_SECONDS": "30"}) as running:
        yield running


async def person(box: Cluster, node: int, name: str, address: str = HOST) -> PlainClient:
    client = await (await PlainClient.dial(box.nodes[node].url, address=address)).greeted()
    await client.identify(name, name.capitalize())
    return client


async def claimed(client: PlainClient, name: str) -> bool:
    await client.send({"type": "identify", "username": name})
    frame = await client.next()
    assert frame["type"] == "identified" or frame["message"] == "Username already taken"
    return bool(frame["type"] == "identified")


def names(box: Cluster) -> list[bytes]:
    """The names that the store knows, held or in their grace."""
    with redis.Redis(unix_socket_path=str(box.valkey.socket)) as store:
        return list(store.scan_iter("magi:1:name:*"))


async def within(seconds: float, client: PlainClient) -> Frame:
    async with asyncio.timeout(seconds):
        return await client.next()


async def test_friends_of_a_killed_node_are_told_once_within_the_presence_time(box: Cluster) -> None:
    pairs = []
    for number in range(FRIENDS):
        dying, staying = await person(box, 0, f"dying{number}"), await person(box, 1, f"staying{number}")
        await befriend(dying, staying)
        pairs.append((dying, staying))
    box.nodes[0].kill()
    told = await asyncio.gather(*(within(PRESENCE_SECONDS, staying) for _, staying in pairs))
    for number, frame in enumerate(told):
        assert frame == {
            "type": "friend_disconnected",
            "friend": friend(f"dying{number}", f"Dying{number}"),
        }
    for _, staying in pairs:
        await staying.nothing_more()
    # The names are free at once. Who comes from elsewhere is a stranger and inherits no friendship.
    heir = await person(box, 1, "dying0", address=ELSEWHERE)
    await heir.send({"type": "ask", "content": "?", "to": "staying0"})
    await heir.expect_error("No active connection with Staying0. Create an invite first.")
    await asyncio.gather(heir.close(), *(client.close() for pair in pairs for client in pair))


async def test_whoever_comes_back_from_a_killed_node_finds_its_friends(patient_box: Cluster) -> None:
    dying, staying = await person(patient_box, 0, "dying"), await person(patient_box, 1, "staying")
    await befriend(dying, staying)
    patient_box.nodes[0].kill()
    await staying.expect("friend_disconnected", friend=friend("dying", "Dying"))
    back = await (await PlainClient.dial(patient_box.nodes[1].url, address=HOST)).greeted()
    await eventually(lambda: claimed(back, "dying"))
    await staying.expect("friend_connected", friend=friend("dying", "dying"))
    await back.send({"type": "ask", "content": "still there?", "to": "staying"})
    await staying.expect("question", content="still there?", from_="dying", fromNickname="dying")
    await asyncio.gather(*(client.close() for client in (dying, staying, back)))


async def test_a_name_held_by_a_killed_node_can_be_claimed_within_the_presence_time(quick_box: Cluster) -> None:
    ghost = await person(quick_box, 0, "ghost")
    quick_box.nodes[0].kill()
    client = await (await PlainClient.dial(quick_box.nodes[1].url, address=HOST)).greeted()
    await eventually(lambda: claimed(client, "ghost"), PRESENCE_SECONDS)
    await asyncio.gather(ghost.close(), client.close())


async def test_a_frozen_node_is_fenced_and_its_clients_learn_what_ended(quick_box: Cluster) -> None:
    frozen, other = await person(quick_box, 0, "frozen"), await person(quick_box, 1, "other")
    await befriend(frozen, other)
    quick_box.nodes[0].signal(signal.SIGSTOP)
    await other.expect("friend_disconnected", friend=friend("frozen", "Frozen"))
    await other.nothing_more()
    await eventually(lambda: len(names(quick_box)) == 1)  # the grace is over, and the name forgotten
    quick_box.nodes[0].signal(signal.SIGCONT)
    await frozen.expect("friend_disconnected", friend=friend("other", "Other"))
    await frozen.nothing_more()
    # It goes on as if new: same socket, same name, new friendships.
    await befriend(frozen, other)
    await other.send({"type": "ask", "content": "back?", "to": "frozen"})
    await frozen.expect("question", content="back?", from_="other", fromNickname="Other")
    await other.expect("question_sent", content="back?", to="Frozen")
    await asyncio.gather(frozen.close(), other.close())


async def test_a_node_that_wakes_up_within_the_grace_brings_its_clients_back(patient_box: Cluster) -> None:
    frozen, other = await person(patient_box, 0, "frozen"), await person(patient_box, 1, "other")
    await befriend(frozen, other)
    patient_box.nodes[0].signal(signal.SIGSTOP)
    await other.expect("friend_disconnected", friend=friend("frozen", "Frozen"))
    patient_box.nodes[0].signal(signal.SIGCONT)
    await other.expect("friend_connected", friend=friend("frozen", "Frozen"))
    # Its client has slept through all of it.
    await frozen.nothing_more()
    await other.send({"type": "ask", "content": "back?", "to": "frozen"})
    await frozen.expect("question", content="back?", from_="other", fromNickname="Other")
    await other.expect("question_sent", content="back?", to="Frozen")
    await asyncio.gather(frozen.close(), other.close())


async def test_a_restarted_store_costs_friendships_but_no_socket_and_no_lie(quick_box: Cluster) -> None:
    ada, bob = await person(quick_box, 0, "ada"), await person(quick_box, 1, "bob")
    await befriend(ada, bob)
    quick_box.valkey.stop()
    await ada.send({"type": "create_invite"})
    await ada.expect_error("Service temporarily unavailable. Please try again.")
    await bob.send({"type": "ask", "content": "still there?"})
    await bob.expect_error("Service temporarily unavailable. Please try again.")
    quick_box.valkey.start()  # it kept nothing on disk
    # Plain friendships lived in the store only: both are told, once.
    await ada.expect("friend_disconnected", friend=friend("bob", "Bob"))
    await bob.expect("friend_disconnected", friend=friend("ada", "Ada"))

    async def answers(client: PlainClient) -> bool:
        await client.send({"type": "create_invite"})
        return (await client.next())["type"] == "invite_created"

    await eventually(lambda: answers(ada))
    await eventually(lambda: answers(bob))
    await befriend(ada, bob)
    await asyncio.gather(ada.close(), bob.close())
