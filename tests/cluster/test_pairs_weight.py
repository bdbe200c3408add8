"""Frames of 5 MiB beside small ones, and peers that do not read: nobody else waits, nothing piles up (CORAL-19, -20, -23, DEL-40)."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from exchange.embedded import NO_SHARED_REPLIES
from tests.conformance.magi.client import PlainClient, befriend
from tests.harness.cluster import HOST, Cluster, Program, cluster
from tests.harness.pairs import PLENTY, PairEnd, Pairs, pairs_at, said, sized
from tests.harness.valkey import OTHER_SERVER
from tests.harness.waiting import WAIT_SECONDS, eventually

LARGE_BYTES = 5 * 1024 * 1024
LARGE_COUNT = 8
GROWTH_BYTES = 100 * 1024 * 1024
"""What a reader that stands still may cost a node."""
CROWD, EACH = 4, 3
"""Pairs, and large frames of each, that are sent to a node that stands still."""
MULTITUDE = 24
"""Pairs that send large frames at once: more than the lane to the store takes."""
FULL = "Peer send buffer full"
ROOMY = ("--client-output-buffer-limit", "pubsub 256mb 64mb 60")
"""What the product asks of its store (docs/operations.md)."""
STORE = ROOMY if OTHER_SERVER in os.environ else (*ROOMY, f"--{NO_SHARED_REPLIES[0]}", NO_SHARED_REPLIES[1])
UNLIMITED = PLENTY | {"EXCHANGE_LIMITS__ASKS_PER_MINUTE_COUNT": "0"}

pytestmark = [pytest.mark.serial, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def box() -> Iterator[Cluster]:
    with cluster(2, settings=UNLIMITED, store_options=STORE) as running:
        yield running


@pytest.fixture(scope="module")
def strict_box() -> Iterator[Cluster]:
    """Two nodes that give up on who reads nothing for a moment."""
    with cluster(2, settings=UNLIMITED | {"EXCHANGE_RELAY__STALL_SECONDS": "2"}, store_options=STORE) as running:
        yield running


@pytest.fixture
async def relay(box: Cluster) -> AsyncIterator[Pairs]:
    async with pairs_at([node.port for node in box.nodes]) as pairs:
        yield pairs


async def send_large(sender: PairEnd, receiver: PairEnd) -> None:
    """Send large frames, two under way at a time."""
    for number in range(LARGE_COUNT):
        sender.write(sized(LARGE_BYTES, number))
        await receiver.until(lambda number=number: len(receiver.payloads("chat.send")) >= number, 2 * WAIT_SECONDS)
    await receiver.until(lambda: len(receiver.payloads("chat.send")) == LARGE_COUNT, 2 * WAIT_SECONDS)


async def send_small(sender: PairEnd, receiver: PairEnd, over: asyncio.Event) -> int:
    """Send small frames until it is over, each after the one before has come; return how many."""
    count = 0
    while not over.is_set():
        sender.write(said("chat.send", n=count))
        count += 1
        await receiver.until(lambda count=count: len(receiver.payloads("chat.send")) == count)
    return count


async def talk_magi(left: PlainClient, right: PlainClient, over: asyncio.Event) -> int:
    """Ask and answer on the other wire until it is over; return how often."""
    count = 0
    while not over.is_set():
        await left.send({"type": "ask", "content": f"question {count}", "to": "right"})
        await right.expect("question", content=f"question {count}", from_="left", fromNickname="Left")
        await left.expect("question_sent", content=f"question {count}", to="Right")
        count += 1
    return count


async def magi_pair(box: Cluster) -> tuple[PlainClient, PlainClient]:
    clients = []
    for node, name in enumerate(("left", "right")):
        client = await (await PlainClient.dial(box.nodes[node].url, address=HOST)).greeted()
        await client.identify(name, name.capitalize())
        clients.append(client)
    left, right = clients
    await befriend(left, right)
    return left, right


async def test_large_frames_both_ways_and_small_ones_of_others_lose_nothing_and_keep_their_order(
    relay: Pairs, box: Cluster
) -> None:
    heavy = await relay.pair(await relay.token())
    light = await relay.pair(await relay.token())
    left, right = await magi_pair(box)
    over = asyncio.Event()
    others = [
        asyncio.ensure_future(send_small(*light, over)),
        asyncio.ensure_future(send_small(*reversed(light), over)),
        asyncio.ensure_future(talk_magi(left, right, over)),
    ]
    try:
        await asyncio.gather(send_large(*heavy), send_large(*reversed(heavy)))
    finally:
        over.set()
        counts = await asyncio.gather(*others)
    for end in heavy:
        got = [one for one in end.heard if one.type == "chat.send"]
        assert [(one.payload["n"], one.size) for one in got] == [(n, LARGE_BYTES) for n in range(LARGE_COUNT)]
        assert end.refusals == []
    for end, count in zip(reversed(light), counts, strict=False):
        assert [one["n"] for one in end.payloads("chat.send")] == [*range(count)]
        assert end.refusals == []
    # They went on meanwhile, all of them, and did not just wait for the end.
    assert min(counts) > LARGE_COUNT
    await asyncio.gather(left.close(), right.close())


async def test_of_many_that_send_large_frames_at_once_each_has_its_turn_and_small_frames_go_on(relay: Pairs) -> None:
    crowd = [await relay.pair(await relay.token()) for _ in range(MULTITUDE)]
    light = await relay.pair(await relay.token())
    over = asyncio.Event()
    talking = asyncio.ensure_future(send_small(*light, over))
    for phone, _ in crowd:
        phone.write(sized(LARGE_BYTES, 0), sized(LARGE_BYTES, 1))
    for phone, agent in crowd:
        await agent.until(lambda agent=agent: len(agent.payloads("chat.send")) == 2, 2 * WAIT_SECONDS)
        assert (phone.code, agent.code, phone.refusals) == (0, 0, [])
    over.set()
    assert await talking > 3  # it went on meanwhile
    assert [one.refusals for one in light] == [[], []]


async def test_large_frames_for_a_node_that_stands_still_for_a_moment_wait_with_their_senders(
    relay: Pairs, box: Cluster
) -> None:
    # A reader that stands still costs the store one large frame and no more (DEL-40).
    pairs = [await relay.pair(await relay.token()) for _ in range(CROWD)]
    box.nodes[1].freeze()
    try:
        for phone, _ in pairs:
            phone.write(*(sized(LARGE_BYTES, number) for number in range(EACH)))
        await eventually(lambda: held_bytes(box) > (CROWD - 1) * LARGE_BYTES)
        for _ in range(100):  # the other node has all the time to pass on more, and may not
            await relay.ask("GET", "/api/v1/pair/unknown")
        assert held_bytes(box) < (CROWD + 1) * LARGE_BYTES
    finally:
        box.nodes[1].thaw()
    for phone, agent in pairs:
        await agent.until(lambda agent=agent: len(agent.payloads("chat.send")) == EACH, 2 * WAIT_SECONDS)
        assert [one["n"] for one in agent.payloads("chat.send")] == [*range(EACH)]
        assert phone.refusals == []


def held_bytes(box: Cluster) -> int:
    """Return what the store holds for whoever does not read it."""
    with redis.Redis(unix_socket_path=str(box.valkey.socket)) as store:
        return max(int(client["omem"]) for client in store.client_list())


def resident_bytes(node: Program) -> int:
    assert node.process is not None
    for line in Path(f"/proc/{node.process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("a process without memory")


async def fill(sender: PairEnd, size: int) -> int:
    """Send frames until the peer's queue is full; return how many were sent."""
    count = 0
    async with asyncio.timeout(2 * WAIT_SECONDS):
        while FULL not in sender.refusals:
            sender.write(sized(size, count), said("ping"))
            count += 1
            # The answer to the ping comes behind what became of the frame.
            await sender.until(lambda count=count: len(sender.payloads("pong")) == count)
    return count


@pytest.mark.parametrize("size", [LARGE_BYTES, 60_000, 500], ids=["large", "medium", "small"])
async def test_the_peer_of_a_reader_that_stands_still_is_told_and_gets_through_again_afterwards(
    box: Cluster, relay: Pairs, size: int
) -> None:
    phone, agent = await relay.pair(await relay.token())
    before = [resident_bytes(node) for node in box.nodes]
    agent.stop_reading()
    sent = await fill(phone, size)
    assert [max(0, resident_bytes(node) - had) < GROWTH_BYTES for node, had in zip(box.nodes, before, strict=True)] == [
        True,
        True,
    ]
    full = [one for one in phone.payloads("chat.error") if one["message"] == FULL]
    assert full[0] == {"code": "PEER_OFFLINE", "message": FULL, "retry_after_ms": 1000}
    agent.read_on()
    # What was not refused arrives, in order, and then there is room again.
    passed = sent - len(phone.refusals)
    await agent.until(lambda: len(agent.payloads("chat.send")) >= passed, 2 * WAIT_SECONDS)
    assert [one["n"] for one in agent.payloads("chat.send")] == [*range(passed)]

    async def through() -> bool:
        had = len(phone.payloads("pong"))
        phone.write(said("key_exchange", pubkey="again"), said("ping"))
        await phone.until(lambda: len(phone.payloads("pong")) > had)
        return bool(agent.payloads("key_exchange"))

    await eventually(through)
    assert not agent.code
    assert phone.statuses == ["online"]


@pytest.mark.parametrize("size", [LARGE_BYTES, 60_000], ids=["large", "medium"])
async def test_a_reader_that_never_reads_again_is_ended_and_its_peer_hears_of_it(
    strict_box: Cluster, size: int
) -> None:
    async with pairs_at([node.port for node in strict_box.nodes]) as relay:
        token = await relay.token()
        phone, agent = await relay.pair(token)
        agent.stop_reading()
        await fill(phone, size)
        await phone.until(lambda: phone.statuses == ["online", "offline"])
        successor = await relay.enter(token, "agent", 0)
        await phone.until(lambda: phone.statuses == ["online", "offline", "online"])
        phone.write(said("key_exchange", pubkey="again"))
        await successor.until(lambda: successor.payloads("key_exchange"))
        assert successor.payloads("chat.send") == []  # nothing of what was made for the one before
