"""What an end of a pair hears while ends come, go and replace each other on two nodes (CORAL-8, -11, -12, -14, -16, -24, -25)."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.harness.cluster import Cluster, cluster
from tests.harness.pairs import PLENTY, REPLACED, PairEnd, Pairs, pairs_at, said
from tests.harness.waiting import WAIT_SECONDS, eventually

ROUNDS = 500
BURST = 12
STORM_CONNECTIONS = 8
STORM_COUNT = 2000
"""Connections of a storm that were let in, before it ends."""
ROLES = ("phone", "agent")

pytestmark = [pytest.mark.serial, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def box() -> Iterator[Cluster]:
    with cluster(2, settings=PLENTY) as running:
        yield running


@pytest.fixture
async def pairs(box: Cluster) -> AsyncIterator[Pairs]:
    async with pairs_at([node.port for node in box.nodes]) as running:
        yield running


def heard_of(end: PairEnd, sender: int, round_: int) -> list[int]:
    """Return the numbers of the frames that one sender sent in one round, as they were heard."""
    return [one["n"] for one in end.payloads("chat.send") if (one["of"], one["to"]) == (sender, round_)]


async def send_until_let_in(sender: PairEnd, newcomer: PairEnd, of: int, to: int) -> int:
    """Send numbered frames until the newcomer has heard something, and one more; return the number of that one."""
    count = 0
    async with asyncio.timeout(WAIT_SECONDS):
        while not newcomer.heard:
            sender.write(said("chat.send", of=of, to=to, n=count))
            count += 1
            await asyncio.sleep(0)
    sender.write(said("chat.send", of=of, to=to, n=count))
    return count


async def play_round(pairs: Pairs, token: str, number: int, ends: list[PairEnd]) -> None:
    """Let somebody enter, its key and a burst behind its ``auth``, while the peer sends as well; check what both heard.

    ``ends`` are all so far, one a round. Every third newcomer finds its slot empty, the others replace whoever is there.
    """
    newcomer = await pairs.dial(ROLES[number % 2], number // 2 % 2)
    peer = ends[-1] if ends else None
    predecessor = ends[-2] if len(ends) > 1 else None
    gone = number % 3 == 0 and predecessor is not None and peer is not None
    if gone:
        await predecessor.leave()
        await peer.until(lambda: peer.statuses == ["offline"])
    key = said("key_exchange", of=number)
    burst = [said("chat.send", of=number, to=number, n=n) for n in range(BURST)]
    if peer is None:
        newcomer.enter(token)
        await newcomer.let_in()
        ends.append(newcomer)
        return
    newcomer.enter(token, key, *burst)
    last = await send_until_let_in(peer, newcomer, number - 1, number)
    granted = await newcomer.let_in()
    assert granted["paired"] is True
    await peer.until(lambda: heard_of(peer, number, number) == [*range(BURST)])
    await newcomer.until(lambda: last in heard_of(newcomer, number - 1, number))
    ends.append(newcomer)
    check_peer(peer, number, gone=gone)
    check_newcomer(newcomer, predecessor, number, last)
    # CORAL-16: what was not refused for want of a peer has arrived, from the first frame on. With a predecessor nothing was.
    alone = gone or predecessor is None
    assert len(peer.refusals) == (heard_of(newcomer, number - 1, number)[0] if alone else 0)


def check_peer(peer: PairEnd, number: int, *, gone: bool) -> None:
    """Prove that the peer heard ``online`` before anything of the newcomer, and nothing of its predecessor afterwards."""
    assert peer.statuses == (["offline", "online"] if gone else ["online"])
    # CORAL-11: strictly before, and what the one before sent is not heard any more (CORAL-24).
    online = max(place for place, one in enumerate(peer.heard) if one.type == "status")
    keys = [place for place, one in enumerate(peer.heard) if one.type == "key_exchange"]
    assert [peer.heard[place].payload["of"] for place in keys] == [number]
    assert keys[0] > online
    senders = [one.payload["of"] for one in peer.heard[online:] if one.type == "chat.send"]
    assert senders == [number] * BURST
    assert set(peer.refusals) <= {"Peer is not connected"}


def check_newcomer(newcomer: PairEnd, predecessor: PairEnd | None, number: int, last: int) -> None:
    """Prove that the newcomer heard the end of what the peer sent, in order and whole, and the one before it none of that."""
    assert newcomer.statuses == []  # CORAL-13
    assert newcomer.refusals == []
    got = heard_of(newcomer, number - 1, number)
    assert got == [*range(got[0], last + 1)]
    before = heard_of(predecessor, number - 1, number) if predecessor is not None else []
    assert before == [*range(len(before))]
    assert len(before) <= got[0]


async def test_each_newcomer_is_announced_before_its_first_frame_and_nothing_is_lost_or_doubled(pairs: Pairs) -> None:
    token, ends = await pairs.token(), list[PairEnd]()
    for number in range(ROUNDS):
        await play_round(pairs, token, number, ends)
        if number > 2:
            await ends[-3].closed()
    codes = [await end.closed() for end in ends[:-2]]
    # Each third one left by itself; all others were replaced, and nobody was told of that (CORAL-25).
    assert set(codes) == {REPLACED, 1000}
    assert [end.statuses.count("offline") for end in ends[:-1]] == [
        int((number + 1) % 3 == 0 and number > 0) for number in range(ROUNDS - 1)
    ]


class Storm:
    """Connections of one slot that replace each other, and a peer that sends all the time."""

    def __init__(self, pairs: Pairs, token: str) -> None:
        self.pairs = pairs
        self.token = token
        self.entered: list[PairEnd] = []
        self.over = False

    async def rage(self, number: int) -> None:
        """Come back as soon as somebody else is current, as a program would that has lost its connection."""
        while not self.over:
            end = await self.pairs.dial("agent", number % 2)
            end.name = len(self.pairs.ends)
            end.enter(self.token, said("system.hello", name=end.name))
            self.entered.append(end)
            self.over = self.over or len(self.entered) >= STORM_COUNT
            await end.until(lambda end=end: end.code or self.over)

    async def talk(self, phone: PairEnd) -> int:
        """Send numbered frames, each for the agent that said hello last, until the storm is over; return how many."""
        count = 0
        while not self.over:
            hellos = phone.payloads("system.hello")
            phone.write(said("chat.send", n=count, made_for=hellos[-1]["name"] if hellos else None))
            count += 1
            await asyncio.sleep(0.001)
        return count


async def settled(phone: PairEnd, ends: list[PairEnd]) -> PairEnd:
    """Wait until all connections but one are closed; return that one, once all that was sent so far was heard."""
    await eventually(lambda: sum(not end.code for end in ends) == 1)
    (current,) = [end for end in ends if not end.code]
    await phone.until(lambda: phone.payloads("system.hello")[-1]["name"] == current.name)
    phone.write(said("chat.send", n=-2, made_for=None))
    await current.until(lambda: current.heard and current.payloads("chat.send")[-1:] == [{"n": -2, "made_for": None}])
    return current


async def test_a_storm_of_replacements_ends_with_one_connection_and_no_frame_for_another(
    pairs: Pairs, box: Cluster
) -> None:
    token = await pairs.token()
    phone = await pairs.enter(token, "phone", 0)
    storm = Storm(pairs, token)
    async with asyncio.timeout(8 * WAIT_SECONDS):
        talking = asyncio.ensure_future(storm.talk(phone))
        await asyncio.gather(*(storm.rage(number) for number in range(STORM_CONNECTIONS)))
        await talking
    current = await settled(phone, storm.entered)
    assert {end.code for end in storm.entered} == {0, REPLACED}
    assert await pairs.connected(token) == {"phone": True, "agent": True}
    # CORAL-12, CORAL-14: one word for each that was let in, and none for any that was replaced.
    assert phone.statuses == ["online"] * len(storm.entered)
    hellos = [one["name"] for one in phone.payloads("system.hello")]
    assert len(set(hellos)) == len(hellos)
    check_hellos(phone)
    check_shares(storm.entered, hellos)
    assert all(one.type != "auth.ok" for end in storm.entered for one in end.heard[1:])
    assert current.name == hellos[-1]
    # CORAL-26
    assert any("slot.contested" in node.log.read_text() for node in box.nodes)


def check_hellos(phone: PairEnd) -> None:
    """Prove that each hello came after the ``online`` of its own connection: never more of them than of those."""
    online = hello = 0
    for one in phone.heard:
        online += one.type == "status"
        hello += one.type == "system.hello"
        assert hello <= online


def check_shares(ends: list[PairEnd], hellos: list[int]) -> None:
    """Prove that every frame reached at most one connection, each a run without gaps, none one that was made for a later."""
    taken: set[int] = set()
    for end in ends:
        got = [one for one in end.payloads("chat.send") if one["n"] >= 0]
        numbers = [one["n"] for one in got]
        assert numbers == [*range(numbers[0], numbers[0] + len(numbers))] if numbers else True
        assert taken.isdisjoint(numbers)
        taken.update(numbers)
        mine = hellos.index(end.name) if end.name in hellos else len(hellos)
        for one in got:
            assert one["made_for"] is None or hellos.index(one["made_for"]) <= mine
    assert taken
