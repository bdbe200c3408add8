"""How the connections of a node are let go, with connections that only say what was done with them."""

import asyncio
import itertools
from types import SimpleNamespace

import pytest

from exchange.core.events import Draining
from exchange.front import Ending
from exchange.node import drain as module
from exchange.node.drain import Drain, Plan
from tests.harness.waiting import WAIT_SECONDS, eventually

LONG = Plan(notice_seconds=WAIT_SECONDS, window_seconds=WAIT_SECONDS, flush_seconds=WAIT_SECONDS)


class Peer:
    """A connection, as far as a drain knows it."""

    def __init__(self, rig: "Rig") -> None:
        self.rig = rig
        self.did: list[object] = []
        self.busy = False
        self.open = True
        self.stays = False  # does not answer the close frame
        self.session = SimpleNamespace(client="c")
        self.stored = asyncio.Event()  # the store has taken the farewell
        self.stored.set()

    def tell(self, event: object) -> None:
        self.did.append(event)

    def refuse_waiting(self) -> None:
        self.did.append("refused")
        self.rig.let_go += 1

    async def leave(self) -> None:
        await self.stored.wait()
        self.did.append("left")

    def close(self, ending: Ending) -> None:
        self.did.append(ending)
        if not self.stays:
            self.hang_up()

    def hang_up(self) -> None:
        if self.open:
            self.open = False
            self.rig.roster.remove(self)


class Rig:
    def __init__(self) -> None:
        self.roster: list[Peer] = []
        self.others = True
        self.refused = False
        self.let_go = 0
        self.looks: list[tuple[int, bool]] = []
        """How many had been let go, and whether newcomers were refused, whenever the others were looked for."""

    def peers(self, count: int) -> list[Peer]:
        self.roster += [Peer(self) for _ in range(count)]
        return list(self.roster)

    def drain(self, plan: Plan) -> Drain:
        async def others() -> bool:
            self.looks.append((self.let_go, self.refused))
            return self.others

        def refuse() -> None:
            self.refused = True

        return Drain(plan, self.roster, others=others, refuse=refuse)


@pytest.fixture
async def rig(monkeypatch):
    monkeypatch.setattr(module, "STEP_SECONDS", 0.01)
    async with asyncio.timeout(WAIT_SECONDS):
        yield Rig()


async def test_each_session_ends_in_the_store_before_its_socket_is_closed(rig):
    (peer,) = rig.peers(1)
    await rig.drain(Plan(0, 0, WAIT_SECONDS)).run()
    assert peer.did == [Draining(0, 0), "refused", "left", Ending.DRAIN]


async def test_during_the_notice_everything_is_served(rig):
    rig.peers(3)
    drain = rig.drain(LONG)
    running = asyncio.create_task(drain.run())
    await eventually(lambda: len(rig.looks) > 5)
    assert rig.looks == [(0, False)] * len(rig.looks)
    assert drain.remaining == 3
    running.cancel()


async def test_after_the_notice_newcomers_are_refused_and_all_are_told_how_long_they_have(rig):
    peers = rig.peers(3)
    running = asyncio.create_task(rig.drain(Plan(0.05, WAIT_SECONDS, WAIT_SECONDS)).run())
    await eventually(lambda: rig.refused)
    await eventually(lambda: all(peer.did for peer in peers))
    assert {peer.did[0] for peer in peers} == {Draining(0, int(WAIT_SECONDS * 1000))}
    running.cancel()


async def test_connections_go_in_equal_batches(rig):
    rig.peers(200)
    await rig.drain(Plan(0, 1.0, WAIT_SECONDS)).run()
    gone = [count for count, _ in rig.looks]
    batches = [after - before for before, after in itertools.pairwise(gone)]
    assert rig.let_go == 200
    # A loop that is late makes larger batches; one that is not makes them of two.
    assert len([batch for batch in batches if batch]) >= 3
    assert max(batches) < 100


async def test_the_order_is_random(rig):
    peers = rig.peers(100)
    order = []
    for number, peer in enumerate(peers):
        peer.refuse_waiting = lambda number=number: order.append(number)
    await rig.drain(Plan(0, 0, WAIT_SECONDS)).run()
    assert sorted(order) == list(range(100))

    peers = rig.peers(100)
    order.clear()
    for number, peer in enumerate(peers):
        peer.refuse_waiting = lambda number=number: order.append(number)
    await rig.drain(Plan(0, 0.1, WAIT_SECONDS)).run()
    assert sorted(order) == list(range(100))
    assert order != list(range(100))


async def test_a_node_that_is_alone_gives_no_notice_and_takes_no_time(rig):
    rig.others = False
    peers = rig.peers(3)
    await rig.drain(Plan(WAIT_SECONDS * 2, WAIT_SECONDS * 2, WAIT_SECONDS)).run()
    assert all(peer.did[-1] is Ending.DRAIN for peer in peers)


async def test_a_node_that_is_alone_lets_many_go_over_two_seconds_at_most(rig, monkeypatch):
    monkeypatch.setattr(module, "ALONE_SECONDS", 0.05)
    rig.others = False
    peers = rig.peers(300)
    await rig.drain(Plan(WAIT_SECONDS * 2, WAIT_SECONDS * 2, WAIT_SECONDS)).run()
    assert rig.let_go == 300
    assert peers[0].did[0] == Draining(0, 50)


@pytest.mark.parametrize("plan", [LONG, Plan(0, WAIT_SECONDS * 2, WAIT_SECONDS)], ids=["notice", "window"])
async def test_a_node_that_is_left_alone_meanwhile_hurries(rig, plan, monkeypatch):
    monkeypatch.setattr(module, "ALONE_SECONDS", 0.05)
    rig.peers(200)
    running = asyncio.create_task(rig.drain(plan).run())
    await eventually(lambda: len(rig.looks) > 2)
    rig.others = False
    await running
    assert rig.roster == []


async def test_a_request_under_way_gets_its_reply_first(rig):
    (peer,) = rig.peers(1)
    peer.busy = True
    running = asyncio.create_task(rig.drain(Plan(0, 0, WAIT_SECONDS)).run())
    await eventually(lambda: "refused" in peer.did)
    assert "left" not in peer.did
    peer.busy = False
    await running
    assert peer.did[-2:] == ["left", Ending.DRAIN]


async def test_neither_a_reply_nor_a_store_is_waited_for_for_ever(rig, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    busy, lost = rig.peers(2)
    busy.busy = True
    lost.stored.clear()
    await rig.drain(Plan(0, 0, WAIT_SECONDS)).run()
    assert busy.did[-1] is lost.did[-1] is Ending.DRAIN
    lost.stored.set()
    await eventually(lambda: "left" in lost.did)


async def test_a_session_that_fails_to_end_holds_nobody_up(rig):
    failing, sound = rig.peers(2)

    async def leave() -> None:
        raise RuntimeError("a mistake of ours")

    failing.leave = leave
    await rig.drain(Plan(0, 0, WAIT_SECONDS)).run()
    assert failing.did[-1] is sound.did[-1] is Ending.DRAIN


async def test_a_socket_that_stays_holds_the_drain_up_no_longer_than_the_flush(rig):
    (peer,) = rig.peers(1)
    peer.stays = True
    drain = rig.drain(Plan(0, 0, 0.05))
    assert drain.remaining == 0, "it has not begun"
    await drain.run()
    assert drain.remaining == 1


async def test_a_client_that_goes_by_itself_is_left_alone(rig):
    peers = rig.peers(4)
    running = asyncio.create_task(rig.drain(Plan(0, WAIT_SECONDS, WAIT_SECONDS)).run())
    await eventually(lambda: rig.refused)
    for peer in list(rig.roster):
        peer.hang_up()
    await running
    assert [peer for peer in peers if Ending.DRAIN in peer.did] == [peer for peer in peers if "left" in peer.did]
