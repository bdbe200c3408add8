"""One session's mail: order, holes, window, expiry, poison, acknowledgements (DEL-36 to DEL-39)."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from exchange.core.events import Delivered, Event, MailLost
from exchange.core.features import IDS, OFFLINE, PERSIST, RESUME
from exchange.core.ids import NOWHERE
from exchange.core.model import Envelope, Kind, Link, MailState, Presence, Profile
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.core.wakes import Mail, Wake
from exchange.front import Ending
from exchange.hotcounts import HotCounts
from exchange.node.delivery import ACK_COUNT, CAUTIOUS_AFTER_COUNT, Delivery, MailRules
from exchange.ports import StoredWord
from exchange.storage.memory.state import Box, Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually
from tests.harness.world import Time

FEATURES = frozenset({IDS, RESUME, PERSIST, OFFLINE})
RULES = MailRules(window_count=4, window_bytes=10_000, high_bytes=100, low_bytes=10, attempts_count=5)
LIFE_MS = 60_000


class Reader:
    """The client's end: what it was told, and how much of it lies unread in the socket's buffer."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.buffered_bytes = 0

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def close(self, ending: Ending) -> None:
        raise AssertionError(f"closed: {ending}")

    @property
    def bodies(self) -> list[bytes]:
        return [event.envelope.body for event in self.events if isinstance(event, Delivered)]

    @property
    def offsets(self) -> list[str]:
        return [event.offset for event in self.events if isinstance(event, Delivered)]


class Desk:
    """One user ``ann`` with a mailbox and a friend ``bob`` who writes to it."""

    def __init__(self) -> None:
        self.time = Time()
        self.memory = Memory(self.time)
        self.store = memory_store(self.memory)
        self.wakes: list[Wake] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.counts = HotCounts()
        self.numbers = 0

    async def open(self) -> None:
        link = Link("bob", "c1", "bob", "Bob", persist=True, features=FEATURES)
        await self.store.links.put("ann", link)
        await self.store.links.put("bob", Link("ann", "c1", "ann", "Ann", persist=True, features=FEATURES))
        profile = Profile("bob", "Bob", FEATURES)
        await self.store.users.open(Presence("s-bob", "bob", "bob", "node1", "magi", ""), profile)

    async def write(self, *, until_ms: int = 0, body: bytes | None = None, sender: str = "bob") -> Mail:
        """Store a message; return the wake that it made."""
        self.numbers += 1
        before = self.box.last
        text = body if body is not None else b'"%d"' % self.numbers
        envelope = Envelope(
            Kind.QUESTION, sender, "c1", 0, self.time(), text, f"m{self.numbers}", name="bob", nick="Bob"
        )
        word = await self.store.mailboxes.post("ann", envelope, until_ms or self.time() + LIFE_MS)
        assert word is StoredWord.STORED
        return Mail(self.box.epoch, before, self.box.last, envelope)

    @property
    def box(self) -> Box:
        return self.memory.boxes.get("ann") or Box()

    async def arrive(self, rules: MailRules = RULES) -> "tuple[Delivery, Reader]":
        """Let ann come with a new session and be given what waits."""
        session = Session(f"s{self.numbers}-{self.time()}", dialect="magi", address="", since_ms=0)
        session.features = FEATURES
        user = LocalUser("ann", "ann", "Ann", FEATURES)
        user.links.put(Link("bob", "c1", "bob", "Bobby", persist=True))
        presence = Presence(session.sid, "ann", "ann", "node1", "magi", "")
        opened = await self.store.users.open(presence, user.profile, takeover=True)
        reader = Reader()
        delivery = Delivery(user, session, reader, self.store, rules, self.counts, self._spawn)
        await delivery.begin(opened.mail)
        return delivery, reader

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def quiet(self) -> None:
        """Wait until nothing runs any more."""
        await eventually(lambda: not self.tasks)


@pytest.fixture
async def desk() -> Desk:
    one = Desk()
    await one.open()
    return one


# --- in order, without holes -----------------------------------------------------------------------------------------


async def test_what_waited_comes_first_and_then_what_wakes_bring(desk):
    await desk.write()
    await desk.write()
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    assert ann.bodies == [b'"1"', b'"2"', b'"3"']
    assert ann.offsets == [letter.offset for letter in desk.box.letters]
    assert (desk.counts.mail_given_again, desk.counts.mail_given) == (2, 1)


async def test_the_first_mail_ever_begins_the_life_of_a_mailbox(desk):
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    delivery.woken(await desk.write())
    assert ann.bodies == [b'"1"', b'"2"']
    assert not desk.tasks


async def test_a_wake_for_what_was_read_already_is_dropped(desk):
    wake = await desk.write()
    delivery, ann = await desk.arrive()
    delivery.woken(wake)
    await desk.quiet()
    assert ann.bodies == [b'"1"']


async def test_a_missed_wake_is_noticed_by_the_next_and_the_hole_is_read(desk):
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    await desk.write()
    delivery.woken(await desk.write())
    await eventually(lambda: len(ann.bodies) == 3)
    assert ann.bodies == [b'"1"', b'"2"', b'"3"']
    assert not delivery.behind


async def test_a_wake_without_its_envelope_sends_the_node_to_the_mailbox(desk):
    delivery, ann = await desk.arrive()
    delivery.woken((await desk.write())._replace(envelope=None))
    await eventually(lambda: ann.bodies == [b'"1"'])


async def test_what_comes_while_the_mailbox_is_read_is_not_forgotten(desk):
    delivery, ann = await desk.arrive()
    await desk.write()
    delivery.woken(await desk.write())  # a hole: it is read
    wake = await desk.write()
    delivery.woken(wake)
    await desk.quiet()
    assert ann.bodies == [b'"1"', b'"2"', b'"3"']
    assert not delivery.behind


async def test_the_link_says_how_the_sender_is_called_now_and_the_envelope_if_there_is_none_any_more(desk):
    await desk.store.links.put("ann", Link("cat", "c2", "cat", "Cat", persist=True))
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    delivery.woken(await desk.write(sender="cat"))
    assert [event.nick for event in ann.events] == ["Bobby", "Bob"]


# --- back-pressure ---------------------------------------------------------------------------------------------------


async def test_no_more_is_given_than_the_window_holds_and_acknowledgements_open_it(desk):
    for _ in range(6):
        await desk.write()
    delivery, ann = await desk.arrive()
    assert len(ann.bodies) == 4
    assert delivery.behind
    delivery.woken(await desk.write())
    assert len(ann.bodies) == 4
    assert delivery.ack(ann.offsets[1])
    await eventually(lambda: len(ann.bodies) == 6)
    assert delivery.ack(ann.offsets[5])
    await eventually(lambda: len(ann.bodies) == 7)
    assert not delivery.behind


async def test_a_client_that_does_not_read_is_given_nothing_until_it_has(desk):
    delivery, ann = await desk.arrive()
    ann.buffered_bytes = 101
    delivery.woken(await desk.write())
    await desk.quiet()
    assert ann.bodies == []
    ann.buffered_bytes = 11
    delivery.go_on()
    await desk.quiet()
    assert ann.bodies == []
    ann.buffered_bytes = 10
    delivery.go_on()
    await eventually(lambda: ann.bodies == [b'"1"'])


# --- acknowledging ---------------------------------------------------------------------------------------------------


async def test_what_is_acknowledged_leaves_the_mailbox_and_is_not_given_again(desk):
    delivery, ann = await desk.arrive()
    for _ in range(3):
        delivery.woken(await desk.write())
    assert delivery.ack(ann.offsets[1])
    await eventually(lambda: len(desk.box.letters) == 1)
    _, again = await desk.arrive()
    assert again.bodies == [b'"3"']


async def test_what_was_never_delivered_cannot_be_acknowledged(desk):
    delivery, _ = await desk.arrive()
    delivery.woken(await desk.write())
    assert not delivery.ack("9999999999999-0")
    await desk.quiet()
    assert len(desk.box.letters) == 1


async def test_many_acknowledgements_are_passed_on_together(desk, monkeypatch):
    told: list[str] = []
    delivery, ann = await desk.arrive(replace(RULES, window_count=1000))
    real = desk.store.mailboxes.ack

    async def ack(uid: str, upto: str, epoch: str) -> bool:
        told.append(upto)
        return await real(uid, upto, epoch)

    monkeypatch.setattr(desk.store.mailboxes, "ack", ack)
    for _ in range(ACK_COUNT):
        delivery.woken(await desk.write())
        delivery.ack(ann.offsets[-1])
    await eventually(lambda: not desk.box.letters)
    assert told == [ann.offsets[-1]]


async def test_at_the_end_of_a_session_the_mailbox_hears_what_was_acknowledged(desk):
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    delivery.ack(ann.offsets[0])
    delivery.end()
    await desk.quiet()
    assert desk.box.letters == []


async def test_an_acknowledgement_that_could_not_be_passed_on_is_said_with_the_next(desk):
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    delivery.woken(await desk.write())
    desk.memory.down = True
    delivery.ack(ann.offsets[0])
    delivery.say()
    await desk.quiet()
    desk.memory.down = False
    assert len(desk.box.letters) == 2
    delivery.ack(ann.offsets[1])
    await eventually(lambda: not desk.box.letters)


async def test_an_acknowledgement_that_could_not_be_passed_on_can_be_said_again(desk):
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    desk.memory.down = True
    delivery.ack(ann.offsets[0])
    delivery.say()
    await desk.quiet()
    desk.memory.down = False
    delivery.say()
    await eventually(lambda: not desk.box.letters)


# --- what ends otherwise ---------------------------------------------------------------------------------------------


async def test_what_expired_is_not_given_and_its_sender_is_told_once(desk):
    await desk.write(until_ms=desk.time() + 10)
    await desk.write()
    desk.time.ms += 10
    _, ann = await desk.arrive()
    assert ann.bodies == [b'"2"']
    (notice,) = [letter.envelope for letter in desk.memory.boxes["bob"].letters]
    assert (notice.kind, notice.name) == (Kind.EXPIRED, "ann")
    _, again = await desk.arrive()
    assert again.bodies == [b'"2"']
    assert len(desk.memory.boxes["bob"].letters) == 1


async def test_what_expires_behind_unacknowledged_mail_waits_for_it_so_that_its_sender_is_told(desk):
    rules = replace(RULES, window_count=2)
    await desk.write()
    await desk.write()
    await desk.write(until_ms=desk.time() + 10)
    await desk.write()
    delivery, ann = await desk.arrive(rules)
    desk.time.ms += 10
    assert delivery.ack(ann.offsets[0])
    await desk.quiet()
    assert ann.bodies == [b'"1"', b'"2"']
    assert delivery.ack(ann.offsets[1])
    await eventually(lambda: ann.bodies == [b'"1"', b'"2"', b'"4"'])
    assert [letter.envelope.kind for letter in desk.memory.boxes["bob"].letters] == [Kind.EXPIRED]


async def test_a_letter_its_reader_keeps_failing_on_is_parked_and_later_mail_flows(desk):
    poison = await desk.write()
    await desk.write()
    seen = []
    for _ in range(RULES.attempts_count):
        _, ann = await desk.arrive()
        seen.append(len(ann.bodies))
    assert seen == [2] * (CAUTIOUS_AFTER_COUNT - 1) + [1] * (RULES.attempts_count - CAUTIOUS_AFTER_COUNT + 1)
    _, ann = await desk.arrive()
    assert ann.bodies == [b'"2"']
    assert [letter.envelope.id for letter in desk.box.parked] == [poison.envelope.id]
    (notice,) = [letter.envelope for letter in desk.memory.boxes["bob"].letters]
    assert (notice.kind, notice.name) == (Kind.PARKED, "ann")


async def test_a_suspect_that_is_acknowledged_after_all_opens_the_window_again(desk):
    for _ in range(4):
        await desk.write()
    for _ in range(CAUTIOUS_AFTER_COUNT):
        delivery, ann = await desk.arrive()
    assert ann.bodies == [b'"1"']
    delivery.ack(ann.offsets[0])
    await eventually(lambda: len(ann.bodies) == 4)


async def test_what_was_acknowledged_is_not_told_as_expired_although_the_mailbox_has_not_heard_of_it(desk):
    until_ms = desk.time() + 10
    await desk.write(until_ms=until_ms)
    await desk.write(until_ms=until_ms)
    delivery, ann = await desk.arrive(replace(RULES, window_count=1))
    desk.time.ms += 10
    delivery.ack(ann.offsets[0])
    await eventually(lambda: desk.memory.boxes.get("bob"))
    await desk.quiet()
    assert [letter.envelope.reply_to for letter in desk.memory.boxes["bob"].letters] == ["m2"]


async def test_an_expired_head_that_cannot_be_ended_is_not_looked_at_without_a_pause(desk, monkeypatch):
    delivery, ann = await desk.arrive()
    await desk.write(until_ms=desk.time() + 10)
    await desk.write()
    desk.time.ms += 10
    looks = 0

    async def nothing_ends(*_words, **_more):
        nonlocal looks
        looks += 1
        return 0

    monkeypatch.setattr(desk.store.mailboxes, "expire", nothing_ends)
    delivery.behind = True
    delivery.go_on()
    await desk.quiet()
    assert (looks, ann.bodies, delivery.behind) == (1, [], True)


async def test_nothing_is_read_twice_if_somebody_goes_on_while_the_session_begins(desk):
    for _ in range(3):
        await desk.write()
    steps = 0

    async def go_on_always() -> None:
        nonlocal steps
        while True:
            await asyncio.sleep(0)
            for delivery in begun:
                delivery.go_on()
                steps += 1

    begun: list[Delivery] = []
    real = Delivery.begin

    async def begin(self, state):
        begun.append(self)
        await real(self, state)

    task = asyncio.create_task(go_on_always())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Delivery, "begin", begin)
            _, ann = await desk.arrive()
    finally:
        task.cancel()
    assert steps
    await desk.quiet()
    assert ann.bodies == [b'"1"', b'"2"', b'"3"']


# --- a store that went back ------------------------------------------------------------------------------------------


async def test_a_mailbox_that_lost_its_tail_is_noticed_and_the_client_told(desk):
    delivery, ann = await desk.arrive()
    first = await desk.write()
    delivery.woken(first)
    delivery.woken(await desk.write())
    desk.box.letters.pop()
    desk.box.last = first.offset
    assert delivery.compare(MailState(desk.box.epoch, desk.box.last, NOWHERE, 1))
    await desk.quiet()
    (lost,) = [event for event in ann.events if isinstance(event, MailLost)]
    assert lost.since_ms == int(first.offset.partition("-")[0])
    assert desk.counts.rollbacks == 1


async def test_later_mail_does_not_hide_that_the_newest_was_lost(desk):
    delivery, ann = await desk.arrive()
    first = await desk.write()
    delivery.woken(first)
    delivery.woken(await desk.write())
    desk.box.letters.pop()
    desk.box.last = first.offset
    desk.time.ms += 1000
    delivery.woken(await desk.write())
    await desk.quiet()
    assert ann.bodies[-1] == b'"3"'
    assert [event.since_ms for event in ann.events if isinstance(event, MailLost)] == [int(first.offset.split("-")[0])]
    assert desk.counts.rollbacks == 1


async def test_a_letter_that_a_wake_spoke_of_and_the_store_lost_is_not_looked_for_without_a_pause(desk, monkeypatch):
    delivery, _ = await desk.arrive()
    await desk.write()
    delivery.woken(await desk.write())  # a hole: it is being read
    delivery.woken(Mail(desk.box.epoch, desk.box.last, "9999999999999-0", None))
    reads = 0
    real = desk.store.mailboxes.read

    async def counted(*words, **more):
        nonlocal reads
        reads += 1
        return await real(*words, **more)

    monkeypatch.setattr(desk.store.mailboxes, "read", counted)
    await desk.quiet()
    assert reads <= 3


async def test_another_life_of_the_mailbox_is_read_from_its_beginning(desk):
    delivery, ann = await desk.arrive()
    delivery.woken(await desk.write())
    desk.time.ms += 5
    del desk.memory.boxes["ann"]
    wake = await desk.write()
    delivery.woken(wake)
    await desk.quiet()
    assert ann.bodies == [b'"1"', b'"2"']
    assert any(isinstance(event, MailLost) for event in ann.events)


async def test_nothing_is_repaired_where_nothing_was_missed(desk):
    delivery, _ = await desk.arrive()
    delivery.woken(await desk.write())
    state, _ = await desk.store.mailboxes.state("ann")
    assert not delivery.compare(state)


async def test_mail_that_no_wake_spoke_of_is_found_and_given(desk):
    delivery, ann = await desk.arrive()
    await desk.write()
    state, _ = await desk.store.mailboxes.state("ann")
    assert delivery.compare(state)
    await eventually(lambda: ann.bodies == [b'"1"'])


async def test_a_store_that_is_away_leaves_the_session_behind_until_somebody_goes_on(desk):
    delivery, ann = await desk.arrive()
    await desk.write()
    wake = await desk.write()
    desk.memory.down = True
    delivery.woken(wake)
    await desk.quiet()
    assert (ann.bodies, delivery.behind) == ([], True)
    desk.memory.down = False
    delivery.go_on()
    await eventually(lambda: ann.bodies == [b'"1"', b'"2"'])
