"""The slots of a node: what arrives, for whom, and when (CORAL-11 to CORAL-16, CORAL-23 to CORAL-27, DEL-40)."""

import asyncio
from collections.abc import Callable

import pytest

from exchange.core.errors import NotIdentified, PeerBusy, StorageUnavailable, Unavailable
from exchange.core.events import Event, PeerCame, PeerWent, Relayed
from exchange.core.pairs import End, HandedOver, PassedOn, Passing, PeerDown, PeerUp, Revoked, Role, Superseded
from exchange.core.session import Session
from exchange.front import Ending
from exchange.hotcounts import HotCounts
from exchange.node import switchboard as module
from exchange.node.switchboard import LARGE_BYTES, WAITING_COUNT, LocalSwitchboard, RelayRules
from tests.harness.waiting import eventually

PAIR = "0" * 32
PHONE, AGENT = Role.PHONE, Role.AGENT
RULES = RelayRules(queue_count=8, queue_bytes=8000, unproven_seconds=15)
LARGE = b"x" * (LARGE_BYTES + 1)
FRAME_BYTES = 102
"""What a frame of 100 bytes takes in a socket."""


class Channels:
    """The port of the store, by hand."""

    def __init__(self) -> None:
        self.sent: list[tuple[End, bytes, bool]] = []
        self.receipts: list[Callable[[Passing | StorageUnavailable], None]] = []
        self.handed_over: list[tuple[str, Role, int]] = []
        self.forgotten: list[tuple[str, Role]] = []
        self.marks: list[tuple[int, bool]] = []
        self.mark_fails: StorageUnavailable | None = None
        self.mark_gate = asyncio.Event()
        self.mark_gate.set()
        self.silent = 0.0

    def pass_on(self, end, frame, receipt, *, handed=False):
        self.sent.append((end, frame, handed))
        self.receipts.append(receipt)

    def hand_over(self, pair, role, number):
        self.handed_over.append((pair, role, number))

    def forget(self, pair, role):
        self.forgotten.append((pair, role))

    async def mark(self, end, *, busy):
        self.marks.append((end.number, busy))
        await self.mark_gate.wait()
        if self.mark_fails is not None:
            raise self.mark_fails

    def silent_seconds(self):
        return self.silent


class Told:
    """A session's end: what it was told, and how it was closed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[Event] = []
        self.closed: list[tuple[Ending, bool]] = []
        self.buffered_bytes = 0

    def tell(self, event):
        self.events.append(event)

    def close(self, ending, *, discard=False):
        self.closed.append((ending, discard))

    @property
    def frames(self):
        return [event.frame for event in self.events if isinstance(event, Relayed)]


class Rig:
    def __init__(self) -> None:
        self.channels = Channels()
        self.counts = HotCounts()
        self.tellers: dict[str, Told] = {}
        self.board = LocalSwitchboard(self.channels, lambda one: self.tellers[one.client], self.counts, RULES)

    def seat(self, number: int, role: Role = PHONE, *, paired: bool = True) -> Told:
        """Let a connection enter; it does not know yet."""
        session = Session(f"{role}{number}", dialect="coralmux", address="", since_ms=0)
        session.end = End(PAIR, role, number)
        told = self.tellers[session.client] = Told(session)
        self.board.expect(PAIR, role)
        self.board.seat(session, paired=paired)
        return told

    def settle(self, told: Told) -> None:
        """Let it be told that it has entered."""
        self.board.go_live(told.session)
        self.board.settle(PAIR, told.session.end.role)

    def enter(self, number: int, role: Role = PHONE, *, paired: bool = True) -> Told:
        told = self.seat(number, role, paired=paired)
        self.settle(told)
        return told

    def hear(self, *wakes, role: Role = PHONE) -> None:
        for wake in wakes:
            self.board.heard(PAIR, role, wake)

    def pass_on(self, told: Told, frame: bytes = b"{}") -> list[Passing | StorageUnavailable]:
        """Pass a frame on; what became of it comes into the list."""
        outcomes = []
        assert self.board.pass_on(told.session, frame, outcomes.append)
        return outcomes


def frame(number: int, text: bytes = b"{}", *, back: int = 0) -> PassedOn:
    return PassedOn(number, back, text)


@pytest.fixture
async def rig() -> Rig:
    return Rig()


# --- entering --------------------------------------------------------------------------------------------------------


def test_what_arrives_while_somebody_enters_is_told_after_the_reply_in_order_and_only_to_its_number(rig):
    rig.board.expect(PAIR, PHONE)
    rig.hear(frame(4, b"for another"), PeerUp(5), frame(5, b"one"))
    told = rig.seat(5)
    rig.board.settle(PAIR, PHONE)
    rig.hear(PeerDown(5), PeerUp(5), frame(5, b"two"))
    assert told.events == []
    rig.settle(told)
    rig.hear(frame(5, b"three"))
    assert told.events == [PeerCame(), Relayed(b"one"), PeerWent(), PeerCame(), Relayed(b"two"), Relayed(b"three")]
    assert (rig.counts.wakes_peer, rig.counts.wakes_passed_on) == (3, 3)


def test_a_frame_for_a_replaced_number_reaches_nobody(rig):
    old, new = rig.enter(5), rig.enter(6)
    rig.hear(frame(5), PeerUp(5), frame(7))
    assert old.events == new.events == []
    assert rig.counts.wakes_passed_on == 0


def test_a_frame_for_the_current_one_reaches_it_while_its_successor_enters(rig):
    old = rig.enter(5)
    new = rig.seat(6)
    rig.hear(frame(5, b"old"), frame(6, b"new"))
    assert (old.frames, new.frames) == ([b"old"], [])
    rig.settle(new)
    assert (old.frames, new.frames) == ([b"old"], [b"new"])


def test_the_slots_of_a_pair_do_not_hear_each_other(rig):
    phone, agent = rig.enter(5), rig.enter(5, AGENT)
    rig.hear(frame(5), role=AGENT)
    assert (len(phone.frames), len(agent.frames)) == (0, 1)
    rig.hear(Superseded(6), role=AGENT)
    assert (phone.closed, agent.closed) == ([], [(Ending.REPLACED, True)])


def test_what_arrives_for_a_slot_that_nobody_is_in_is_ignored(rig):
    rig.hear(frame(5), PeerUp(5), Superseded(5), Revoked())
    assert len(rig.board) == 0
    assert rig.channels.forgotten == []


def test_a_failed_entering_drops_its_frames_but_not_the_end_of_others(rig):
    old = rig.enter(5)
    rig.board.expect(PAIR, PHONE)
    rig.hear(Superseded(6), frame(6))
    assert old.closed == []
    rig.board.settle(PAIR, PHONE)
    assert old.closed == [(Ending.REPLACED, True)]
    new = rig.enter(6)
    assert new.events == [], "what waited was for the one that failed"


def test_of_two_that_enter_the_failure_of_one_leaves_what_waits_for_the_other(rig):
    first, second = rig.seat(5), rig.seat(6)
    rig.hear(Superseded(5), frame(5, b"first"), Superseded(6), frame(6, b"second"))
    rig.board.unseat(first.session)
    rig.settle(first)
    rig.settle(second)
    assert (first.events, second.frames) == ([], [b"second"])
    assert second.closed == []


def test_of_two_that_enter_the_older_ends_when_the_newer_knows(rig):
    first, second = rig.seat(5), rig.seat(6)
    rig.hear(Superseded(5), Superseded(6))
    rig.settle(first)
    assert first.closed == []
    rig.settle(second)
    assert set(first.closed) == {(Ending.REPLACED, True)}
    assert second.closed == []


def test_a_connection_that_ended_before_it_knew_is_not_told(rig):
    told = rig.seat(5)
    rig.hear(frame(5))
    rig.board.unseat(told.session)
    rig.settle(told)
    assert told.events == told.closed == []
    assert rig.channels.forgotten == [(PAIR, PHONE)]


@pytest.mark.parametrize("flood", ["count", "bytes"])
def test_a_newcomer_that_may_miss_something_is_closed_and_whom_it_replaced_too(rig, monkeypatch, flood):
    monkeypatch.setattr(module, "WAITING_BYTES", 10_000)
    old = rig.enter(5)
    new = rig.seat(6)
    rig.hear(Superseded(6))
    for _ in range(WAITING_COUNT + 1 if flood == "count" else 3):
        rig.hear(frame(6, b"" if flood == "count" else b"x" * 5000))
    rig.settle(new)
    assert new.events == []
    assert new.closed == [(Ending.STORE, False)]
    assert old.closed == [(Ending.REPLACED, True)]


def test_the_next_newcomer_is_not_to_blame_for_what_was_lost_before(rig):
    first = rig.seat(5)
    rig.board.cut()
    rig.settle(first)
    second = rig.enter(6)
    assert (first.closed[0], second.closed) == ((Ending.STORE, False), [])


# --- the end of places -----------------------------------------------------------------------------------------------


def test_replacing_closes_the_old_one_with_what_was_not_written_yet(rig):
    old = rig.enter(5)
    new = rig.seat(6)
    assert old.closed == []
    rig.settle(new)
    assert old.closed == [(Ending.REPLACED, True)]
    assert new.closed == []


def test_a_successor_on_another_node_closes_the_one_here(rig):
    told = rig.enter(5)
    rig.hear(Superseded(6))
    assert told.closed == [(Ending.REPLACED, True)]
    rig.hear(frame(5))
    assert told.events == []


def test_the_news_of_an_older_number_does_not_end_a_newer_place(rig):
    told = rig.enter(6)
    rig.hear(Superseded(5), Superseded(6))
    assert told.closed == []


def test_a_successor_elsewhere_that_enters_meanwhile_ends_the_newcomer(rig):
    told = rig.seat(5)
    rig.hear(Superseded(5), Superseded(6))
    rig.settle(told)
    assert told.closed == [(Ending.REPLACED, True)]


def test_a_deleted_token_closes_all_at_once(rig):
    old, new = rig.enter(5), rig.seat(6)
    rig.hear(Revoked())
    assert old.closed == new.closed == [(Ending.REVOKED, False)]
    assert rig.board.pairs_count == 0


def test_a_token_that_is_deleted_while_somebody_enters_ends_it_after_it_entered(rig):
    rig.board.expect(PAIR, PHONE)
    rig.hear(Revoked())
    told = rig.seat(5)
    assert told.closed == []
    rig.board.go_live(told.session)
    rig.board.settle(PAIR, PHONE)
    assert told.closed == []
    rig.board.settle(PAIR, PHONE)
    assert told.closed == [(Ending.REVOKED, False)]
    rig.hear(frame(5))
    assert told.events == []


def test_unseating_the_old_one_does_not_touch_the_new_one(rig):
    old, new = rig.enter(5), rig.enter(6)
    assert len(rig.board) == 2
    rig.board.unseat(old.session)
    rig.board.unseat(old.session)
    assert len(rig.board) == 1
    assert rig.channels.forgotten == []
    rig.hear(frame(6))
    assert len(new.frames) == 1


def test_the_channel_is_forgotten_exactly_when_nobody_is_left(rig):
    phone, agent = rig.enter(5), rig.enter(5, AGENT)
    rig.board.expect(PAIR, PHONE)
    rig.board.unseat(phone.session)
    assert rig.channels.forgotten == [], "somebody is entering"
    rig.board.settle(PAIR, PHONE)
    assert rig.channels.forgotten == [(PAIR, PHONE)]
    rig.board.unseat(phone.session)
    rig.board.unseat(agent.session)
    assert rig.channels.forgotten == [(PAIR, PHONE), (PAIR, AGENT)]


def test_a_session_without_a_place_can_be_unseated(rig):
    rig.board.unseat(Session("client", dialect="coralmux", address="", since_ms=0))
    assert rig.channels.forgotten == []


def test_an_end_that_comes_at_once_disturbs_nobody(rig):
    told = [rig.enter(5), rig.seat(6)]
    for one in told:
        one.close = lambda *_, one=one, **__: rig.board.unseat(one.session)
    rig.hear(Revoked())
    assert len(rig.board) == 0


# --- passing on ------------------------------------------------------------------------------------------------------


def test_a_frame_is_sent_from_its_end_and_counted_when_it_passed(rig):
    told = rig.enter(5)
    outcomes = rig.pass_on(told, b"x" * 100)
    assert rig.channels.sent == [(End(PAIR, PHONE, 5), b"x" * 100, False)]
    assert (rig.counts.passed, rig.counts.passed_bytes) == (0, 0)
    rig.channels.receipts[0](Passing.PASSED)
    assert outcomes == [Passing.PASSED]
    assert (rig.counts.passed, rig.counts.passed_bytes) == (1, 100)


@pytest.mark.parametrize("outcome", [one for one in Passing if one is not Passing.PASSED] + [StorageUnavailable()])
async def test_a_frame_that_did_not_pass_is_not_counted(rig, outcome):
    outcomes = rig.pass_on(rig.enter(5), LARGE)
    rig.channels.receipts[0](outcome)
    assert outcomes == [outcome]
    assert (rig.counts.passed, rig.counts.passed_bytes) == (0, 0)


def test_whoever_has_no_place_cannot_pass_on(rig):
    told = rig.enter(5)
    rig.board.unseat(told.session)
    with pytest.raises(Unavailable):
        rig.board.pass_on(told.session, b"{}", print)
    with pytest.raises(NotIdentified):
        rig.board.pass_on(Session("client", dialect="coralmux", address="", since_ms=0), b"{}", print)


async def test_a_frame_at_the_bound_does_not_wait_and_one_above_it_does(rig):
    told = rig.enter(5)
    rig.pass_on(told, LARGE[:LARGE_BYTES])
    rig.pass_on(told, LARGE)
    assert [handed for _, _, handed in rig.channels.sent] == [False, True]
    assert not rig.board.pass_on(told.session, LARGE, print)
    assert len(rig.channels.sent) == 2
    rig.pass_on(told, b"small ones go on")


async def gives_up(rig: Rig, told: Told) -> None:
    rig.board.unseat(told.session)


async def is_refused(rig: Rig, told: Told) -> None:
    rig.channels.receipts[0](Passing.BUSY)


async def was_handed_over(rig: Rig, told: Told) -> None:
    rig.channels.receipts[0](Passing.PASSED)
    rig.hear(HandedOver(5))


async def has_a_new_peer(rig: Rig, told: Told) -> None:
    rig.hear(PeerUp(5))


async def has_no_peer(rig: Rig, told: Told) -> None:
    rig.hear(PeerDown(5))


@pytest.mark.parametrize("step", [gives_up, is_refused, was_handed_over, has_a_new_peer, has_no_peer])
async def test_whoever_waits_behind_a_large_frame_goes_on_when_it_is_over(rig, step):
    told = rig.enter(5)
    rig.pass_on(told, LARGE)
    waiting = asyncio.create_task(rig.board.handed_over(told.session))
    await asyncio.sleep(0)
    assert not waiting.done()
    await step(rig, told)
    await asyncio.wait_for(waiting, 5)
    if step is not gives_up:
        rig.pass_on(told, LARGE)


async def test_that_it_passed_is_not_yet_that_it_was_handed_over(rig):
    told = rig.enter(5)
    rig.pass_on(told, LARGE)
    rig.channels.receipts[0](Passing.PASSED)
    rig.hear(HandedOver(4), frame(5))
    assert not rig.board.pass_on(told.session, LARGE, print)


async def test_whoever_sent_nothing_large_need_not_wait(rig):
    told = rig.enter(5)
    await rig.board.handed_over(told.session)
    rig.board.unseat(told.session)
    with pytest.raises(Unavailable):
        await rig.board.handed_over(told.session)


async def test_a_large_frame_that_does_not_arrive_makes_the_peer_busy_until_it_does(rig, monkeypatch):
    monkeypatch.setattr(module, "HANDED_SECONDS", 0.01)
    told = rig.enter(5)
    rig.pass_on(told, LARGE)
    with pytest.raises(PeerBusy):
        await rig.board.handed_over(told.session)
    assert not rig.board.pass_on(told.session, LARGE, print), "still under way"
    rig.hear(HandedOver(5))
    await rig.board.handed_over(told.session)
    rig.pass_on(told, LARGE)


async def large_ones(rig: Rig, count: int) -> list[Told]:
    """Let connections enter that have a large frame on its way to the store each, as many as may."""
    return [one for one in (rig.enter(number) for number in range(100, 100 + count)) if rig.pass_on(one, LARGE) == []]


async def test_a_large_frame_waits_for_its_turn_among_those_of_all_and_small_ones_do_not(rig):
    others = await large_ones(rig, module.LARGE_COUNT)
    told = rig.enter(200)
    assert not rig.board.pass_on(told.session, LARGE, print)
    rig.pass_on(told, b"small")
    waiting = asyncio.create_task(rig.board.handed_over(told.session))
    await asyncio.sleep(0)
    assert not waiting.done()
    rig.channels.receipts[0](Passing.PASSED)
    await asyncio.wait_for(waiting, 5)
    rig.hear(HandedOver(others[0].session.end.number))
    assert not rig.board.pass_on(others[0].session, LARGE, print), "the turn is another's"
    rig.pass_on(told, LARGE)


@pytest.mark.parametrize("outcome", [Passing.PASSED, Passing.OLD, StorageUnavailable(sent=True)], ids=str)
async def test_a_large_frame_makes_room_for_the_next_whatever_became_of_it(rig, outcome):
    await large_ones(rig, module.LARGE_COUNT)
    for number in range(10):
        told = rig.enter(200 + number)
        waiting = asyncio.create_task(rig.board.handed_over(told.session))
        await asyncio.sleep(0)
        rig.channels.receipts[number](outcome)
        await asyncio.wait_for(waiting, 5)
        rig.pass_on(told, LARGE)


async def test_whoever_goes_while_it_waits_or_has_its_turn_lets_the_next_one_in(rig):
    await large_ones(rig, module.LARGE_COUNT)
    waits, has_it, last = (rig.enter(number) for number in (200, 201, 202))
    first = asyncio.create_task(rig.board.handed_over(waits.session))
    second = asyncio.create_task(rig.board.handed_over(has_it.session))
    await asyncio.sleep(0)
    rig.board.unseat(waits.session)
    rig.channels.receipts[0](Passing.PASSED)
    await asyncio.wait_for(asyncio.gather(first, second), 5)
    assert not rig.board.pass_on(last.session, LARGE, print)
    rig.board.unseat(has_it.session)
    rig.pass_on(last, LARGE)


async def test_whoever_has_no_turn_in_time_is_told_that_it_is_busy_and_takes_none(rig, monkeypatch):
    monkeypatch.setattr(module, "HANDED_SECONDS", 0.01)
    await large_ones(rig, module.LARGE_COUNT)
    told, other = rig.enter(200), rig.enter(201)
    with pytest.raises(PeerBusy):
        await rig.board.handed_over(told.session)
    rig.channels.receipts[0](Passing.PASSED)
    rig.pass_on(other, LARGE)


async def test_a_frame_whose_sender_wants_to_know_is_reported_after_it_was_given_to_the_socket(rig):
    told = rig.enter(5)
    order = []
    told.tell = order.append
    rig.channels.hand_over = lambda *what: order.append(what)
    rig.hear(frame(5, LARGE, back=3))
    assert order == [Relayed(LARGE), (PAIR, AGENT, 3)]


# --- slow readers ----------------------------------------------------------------------------------------------------


def fill(rig: Rig, told: Told, count: int, size: int = 100) -> None:
    """Let frames arrive that the client does not read."""
    for _ in range(count):
        told.buffered_bytes += size + (FRAME_BYTES - 100)
        rig.hear(frame(5, b"x" * size))


async def marked(rig: Rig) -> None:
    await eventually(lambda: not rig.board._tasks)


@pytest.mark.parametrize(("size", "fits"), [(100, 8), (2000, 3)])
async def test_a_full_queue_ends_the_connection_and_nothing_less_does(rig, size, fits):
    told = rig.enter(5)
    fill(rig, told, fits, size)
    assert told.closed == []
    fill(rig, told, 1, size)
    assert told.closed == [(Ending.SLOW_CONSUMER, True)]
    await marked(rig)


async def test_a_queue_that_is_read_holds_any_number_of_frames(rig):
    told = rig.enter(5)
    for _ in range(100):
        fill(rig, told, 5)
        told.buffered_bytes = 0
    assert told.closed == []
    assert rig.channels.marks == []


@pytest.mark.parametrize(("size", "before"), [(100, 5), (2500, 2)])
async def test_from_three_quarters_on_the_peer_is_told_once(rig, size, before):
    told = rig.enter(5)
    fill(rig, told, before, size)
    assert rig.channels.marks == []
    fill(rig, told, 1, size)
    await marked(rig)
    fill(rig, told, 1, 1)
    await marked(rig)
    rig.board.go_on()
    await marked(rig)
    assert rig.channels.marks == [(5, True)]
    assert rig.board.busy_count == 1


async def test_when_there_is_room_again_it_is_told_once(rig):
    told = rig.enter(5)
    fill(rig, told, 6)
    await marked(rig)
    told.buffered_bytes = 3 * FRAME_BYTES
    rig.board.go_on()
    await marked(rig)
    assert rig.channels.marks == [(5, True)]
    told.buffered_bytes = 2 * FRAME_BYTES
    for _ in range(3):
        rig.board.go_on()
        await marked(rig)
    assert rig.channels.marks == [(5, True), (5, False)]
    assert rig.board.busy_count == 0


async def test_a_few_large_frames_are_no_room(rig):
    told = rig.enter(5)
    fill(rig, told, 1, 6500)
    await marked(rig)
    told.buffered_bytes = 2001
    rig.board.go_on()
    await marked(rig)
    assert rig.channels.marks == [(5, True)]
    told.buffered_bytes = 2000
    rig.board.go_on()
    await marked(rig)
    assert rig.channels.marks == [(5, True), (5, False)]


async def test_one_mark_at_a_time_is_under_way(rig):
    told = rig.enter(5)
    rig.channels.mark_gate.clear()
    fill(rig, told, 8)
    await asyncio.sleep(0)
    told.buffered_bytes = 0
    rig.board.go_on()
    await asyncio.sleep(0)
    assert rig.channels.marks == [(5, True)]
    rig.channels.mark_gate.set()
    await marked(rig)
    rig.board.go_on()
    await marked(rig)
    assert rig.channels.marks == [(5, True), (5, False)]


@pytest.mark.parametrize("sent", [False, True])
async def test_a_mark_that_failed_is_made_up_for(rig, sent):
    told = rig.enter(5)
    rig.channels.mark_fails = StorageUnavailable(sent=sent)
    fill(rig, told, 6)
    await marked(rig)
    rig.channels.mark_fails = None
    fill(rig, told, 1)
    await marked(rig)
    # Perhaps it was marked: then no other frame comes, and only we can take it back.
    assert rig.channels.marks == [(5, True)] * (1 if sent else 2)
    told.buffered_bytes = 0
    for fails in (StorageUnavailable(sent=False), StorageUnavailable(), None, None):
        rig.channels.mark_fails = fails
        rig.board.go_on()
        await marked(rig)
    assert rig.channels.marks.count((5, False)) == 3
    assert rig.board.busy_count == 0


# --- a store that cannot be relied on --------------------------------------------------------------------------------


def test_a_cut_closes_all_and_fails_who_is_entering(rig):
    phone, agent, entering = rig.enter(5), rig.enter(5, AGENT), rig.seat(6)
    rig.board.cut()
    assert phone.closed == agent.closed == [(Ending.STORE, False)]
    rig.settle(entering)
    assert entering.closed == [(Ending.STORE, False)]
    assert entering.events == []
    assert rig.board.cuts_count == 1


def test_nothing_is_told_to_whom_a_cut_closed(rig):
    told = rig.enter(5)
    rig.board.cut()
    rig.hear(frame(5))
    assert told.events == []
    assert rig.board.pairs_count == 0


def test_a_cut_without_connections_is_not_counted(rig):
    rig.board.cut()
    assert rig.board.cuts_count == 0


def test_a_silent_store_closes_all_once_it_is_silent_for_too_long(rig):
    told = rig.enter(5)
    rig.channels.silent = RULES.unproven_seconds
    rig.board.go_on()
    assert told.closed == []
    rig.channels.silent += 1
    for _ in range(3):
        rig.board.go_on()
    assert told.closed == [(Ending.STORE, False)]
    assert rig.board.cuts_count == 1


def test_without_connections_nobody_asks_how_long_the_store_was_silent(rig):
    rig.channels.silent = float("inf")
    rig.board.go_on()
    assert rig.board.cuts_count == 0


def test_a_newcomer_during_the_silence_is_closed_too(rig):
    rig.channels.silent = RULES.unproven_seconds + 1
    first, second = rig.enter(5), rig.seat(5, AGENT)
    rig.board.go_on()
    rig.settle(second)
    third = rig.enter(6)
    rig.board.go_on()
    assert [one.closed[0] for one in (first, second, third)] == [(Ending.STORE, False)] * 3


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_pair_counts_where_its_phone_is_or_its_agent_if_there_is_none(rig):
    rig.enter(5, AGENT, paired=False)
    assert rig.board.pairs_count == 1
    rig.hear(PeerUp(5), role=AGENT)
    assert rig.board.pairs_count == 0
    rig.enter(5)
    assert rig.board.pairs_count == 1
    rig.hear(PeerDown(5), role=AGENT)
    assert rig.board.pairs_count == 2


def test_replaced_connections_count_until_they_end_but_not_as_pairs(rig):
    old = rig.enter(5)
    rig.enter(6)
    assert (len(rig.board), rig.board.pairs_count) == (2, 1)
    rig.board.unseat(old.session)
    assert (len(rig.board), rig.board.pairs_count) == (1, 1)
    assert [place.end.number for place in rig.board] == [6]
