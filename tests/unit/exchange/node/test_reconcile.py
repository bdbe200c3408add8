"""What no wake said is found all the same (DEL-34, DEL-35)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.events import Delivered, MailLost
from exchange.core.features import IDS, OFFLINE, PERSIST, RESUME
from exchange.core.ids import order
from exchange.core.model import Envelope, Kind, Link, Presence
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.front import Ending
from exchange.hotcounts import HotCounts
from exchange.node import reconcile
from exchange.node.hub import LocalHub
from exchange.node.reconcile import SafetyNet, reload_all
from exchange.ports import StoredWord
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually
from tests.harness.world import Tenure, Time

FEATURES = frozenset({IDS, RESUME, PERSIST, OFFLINE})
ANN = Link("uid-ann", "c-ann", "ann", "Ann", persist=True, features=FEATURES)


class Told:
    """A session's end."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.buffered_bytes = 0

        self.closed: Ending | None = None

    def tell(self, event: object) -> None:
        self.events.append(event)

    def close(self, ending: Ending) -> None:
        self.closed = ending


class Rig:
    """Bob, who takes mail, on a node that hears no wakes at all."""

    def __init__(self) -> None:
        self.memory = Memory(Time())
        self.store = memory_store(self.memory)
        self.counts = HotCounts()
        self.told = Told()
        self.hub = LocalHub(self.store, lambda _session: self.told, self.counts)
        self.hub.tenure = Tenure()
        self.session = Session("client", dialect="magi", address="", since_ms=0)
        self.session.features = FEATURES
        self.user = LocalUser("uid-bob", "bob", "Bob", FEATURES)
        self.net = SafetyNet(self.hub, self.store, self.counts, period_seconds=0.01)

    async def start(self) -> "Rig":
        presence = Presence(self.session.sid, self.user.uid, "bob", "node1", "magi", "")
        opened = await self.store.users.open(presence, self.user.profile)
        self.hub.seat(self.user, self.session)
        await self.hub.begin_mail(self.user, opened.mail)
        self.hub.release(self.user)
        return self

    async def write(self, uid: str = "uid-bob", sender: str = ANN.peer) -> None:
        envelope = Envelope(Kind.QUESTION, sender, "c-ann", 0, 1, b'"hello"', f"m{self.memory.now_ms()}")
        assert await self.store.mailboxes.post(uid, envelope, self.memory.now_ms() + 60_000) is StoredWord.STORED


@pytest.fixture
async def rig(monkeypatch) -> Rig:
    monkeypatch.setattr(reconcile, "SECOND_LOOK_SECONDS", 0.01)
    return await Rig().start()


@pytest.fixture
async def watched(rig) -> AsyncIterator[Rig]:
    """The rig with its safety net at work."""
    task = asyncio.create_task(rig.net.run())
    yield rig
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_mail_and_links_that_nobody_spoke_of_are_found_and_counted(watched):
    await watched.store.links.put(watched.user.uid, ANN)
    await watched.write()
    await eventually(lambda: len(watched.told.events) == 2)
    assert watched.user.links.get(ANN.peer) is not None
    assert (watched.counts.reconciled_links, watched.counts.reconciled_mail) == (1, 1)


async def test_where_nothing_is_missing_nothing_is_found(watched):
    looks = 0
    state = watched.store.mailboxes.state

    async def counted(uid):
        nonlocal looks
        looks += 1
        return await state(uid)

    watched.store.mailboxes.state = counted
    await eventually(lambda: looks > 3)
    assert (watched.counts.reconciled_links, watched.counts.reconciled_mail) == (0, 0)


async def test_a_store_that_is_away_is_looked_at_again_later(watched):
    watched.memory.down = True
    await watched.hub.reload_quietly(watched.user)
    await asyncio.sleep(0.02)
    watched.memory.down = False
    await watched.store.links.put(watched.user.uid, ANN)
    await eventually(lambda: watched.counts.reconciled_links == 1)


async def test_after_a_gap_mail_and_links_are_read_again(rig):
    await rig.store.links.put(rig.user.uid, ANN)
    await rig.write()
    await reload_all(rig.hub, rig.store, [])
    await eventually(lambda: len(rig.told.events) == 2)


async def test_a_sender_hears_that_the_store_lost_what_it_had_accepted(rig):
    await rig.store.links.put(ANN.peer, Link(rig.user.uid, "c-ann", "bob", "Bob", persist=True))
    await rig.write(ANN.peer, sender=rig.user.uid)
    (first,) = rig.memory.boxes[ANN.peer].letters
    rig.session.sent[ANN.peer] = (first.offset, first.envelope.id)
    rig.hub.gap()
    await eventually(rig.hub.tenure.current)
    assert rig.told.events == []
    del rig.memory.boxes[ANN.peer]
    rig.hub.gap()
    rig.memory.now_ms.ms += 1000
    await rig.write(ANN.peer, sender=rig.user.uid)  # what is accepted afterwards does not hide the loss
    rig.session.sent[ANN.peer] = (rig.memory.boxes[ANN.peer].last, "m2")
    await eventually(lambda: rig.told.events)
    assert rig.told.events == [MailLost(order(first.offset)[0])]


@pytest.mark.parametrize("after", ["a gap", "a while"])
async def test_a_session_that_was_taken_over_unheard_is_ended(watched, after):
    presence = Presence("another", watched.user.uid, "bob", "node2", "magi", "")
    await watched.store.users.open(presence, watched.user.profile, takeover=True)
    if after == "a gap":
        watched.hub.gap()
    await eventually(lambda: watched.told.closed is Ending.REPLACED)
    assert not watched.hub.holds(watched.user.uid)


async def test_an_acknowledgement_that_failed_is_said_again(watched):
    await watched.store.links.put(watched.user.uid, ANN)
    await watched.write()
    await eventually(lambda: any(isinstance(event, Delivered) for event in watched.told.events))
    offset = watched.told.events[-1].offset
    real, failures = watched.store.mailboxes.ack, iter([True])

    async def ack(*words):
        if next(failures, False):
            raise StorageUnavailable
        return await real(*words)

    watched.store.mailboxes.ack = ack
    assert watched.hub.ack(watched.user, offset)
    await eventually(lambda: not watched.memory.boxes[watched.user.uid].letters)


async def test_one_mistake_does_not_end_the_safety_net(watched):
    real, mistakes = watched.store.users.displaced, iter([True])

    async def displaced(*words):
        if next(mistakes, False):
            raise RuntimeError
        return await real(*words)

    watched.store.users.displaced = displaced
    await watched.store.links.put(watched.user.uid, ANN)
    await eventually(lambda: watched.counts.reconciled_links == 1)


async def test_without_a_lease_nothing_is_read(rig):
    await rig.store.links.put(rig.user.uid, ANN)
    rig.hub.tenure.holds = rig.hub.tenure.renewable = False
    await reload_all(rig.hub, rig.store, [])
    assert rig.told.events == []
