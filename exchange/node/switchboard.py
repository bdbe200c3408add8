"""The slots of pairs that have a connection on this node, and what arrives for them (CORAL-11 to CORAL-16, DEL-40).

::

    expect -> listen and enter (handlers.attend) -> seat -> the reply leaves -> go_live -> frames both ways -> unseat

A slot's channel is heard before its newcomer enters, so nothing is missed; what arrives before the newcomer was told that
it has entered waits (CORAL-8). Everything names the number of the end it was made for, so the connection that was replaced
and the one that replaced it can both be here, for a moment, without hearing each other's.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import structlog

from exchange.core.errors import PeerBusy, StorageUnavailable, Unavailable
from exchange.core.events import PeerCame, PeerWent, Relayed
from exchange.core.pairs import (
    End,
    HandedOver,
    PairId,
    PassedOn,
    Passing,
    PeerDown,
    PeerUp,
    Revoked,
    Role,
    SlotWake,
    Superseded,
)
from exchange.core.session import Session
from exchange.front import Ending, Teller
from exchange.hotcounts import HotCounts
from exchange.node.gate import Gate
from exchange.node.queue import Queue
from exchange.ports import Slots

log = structlog.get_logger()

LARGE_BYTES = 64 * 1024
"""Frames above this are sent one at a time (DEL-40)."""
LARGE_COUNT = 3
"""So many of them are on their way to the store at once: the lane, which takes 32 MiB, is not full for the small ones."""
HANDED_SECONDS = 4.0
WAITING_BYTES = 32 * 1024 * 1024
WAITING_COUNT = 1024
"""What may arrive for a connection that is just entering."""


@dataclass(frozen=True, slots=True)
class RelayRules:
    """How much may wait for a slow reader, and how long a connection lives that cannot be proven current (CORAL-37)."""

    queue_count: int = 256
    queue_bytes: int = 32 * 1024 * 1024
    unproven_seconds: float = 15.0

    @property
    def busy_count(self) -> int:
        """Frames from which on the peer is told that the queue is full; frames under way still find room."""
        return self.queue_count * 3 // 4

    @property
    def busy_bytes(self) -> int:
        """Bytes from which on it is told."""
        return self.queue_bytes * 3 // 4


RULES = RelayRules()


class Place:
    """One connection of a slot on this node."""

    __slots__ = (
        "admitted",
        "busy",
        "end",
        "gone",
        "live",
        "marking",
        "paired",
        "queue",
        "session",
        "teller",
        "unhanded",
    )

    def __init__(self, session: Session, end: End, teller: Teller, paired: bool) -> None:
        self.session = session
        self.end = end
        self.teller = teller
        self.live = False
        """Whether it may be told what arrives: it knows that it has entered, and we have not begun to end it."""
        self.gone = False
        self.paired = paired
        self.queue = Queue()
        self.busy = False
        """Whether the store says, or may say, that its queue is full."""
        self.marking = False
        self.admitted = False
        """Whether its next large frame has its turn."""
        self.unhanded: asyncio.Future[None] | None = None
        """Set while its last large frame may not have reached the peer's socket."""

    @property
    def waiting_count(self) -> int:
        """Frames that its socket has not taken yet."""
        return self.queue.waiting_count(self.teller.buffered_bytes)

    def handed(self) -> None:
        """Its last large frame has reached the peer's socket, or never will."""
        unhanded, self.unhanded = self.unhanded, None
        if unhanded is not None:
            unhanded.set_result(None)


class Slot:
    """One slot as this node sees it: the connections here, usually one, and what waits for one that is entering."""

    __slots__ = ("entering_count", "lost", "places", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.places: dict[int, Place] = {}
        self.entering_count = 0
        self.waiting: deque[SlotWake] = deque()
        self.waiting_bytes = 0
        self.lost = False
        """Whether something for a connection that is entering may be missing."""


class LocalSwitchboard:
    """Implements ``front.Switchboard`` for handlers and ``ports.SlotListener`` for the store."""

    def __init__(
        self, slots: Slots, find_teller: Callable[[Session], Teller], counts: HotCounts, rules: RelayRules = RULES
    ) -> None:
        self._channels = slots
        self._find_teller = find_teller
        self._counts = counts
        self._rules = rules
        self._slots: dict[tuple[PairId, Role], Slot] = {}
        self._gate = Gate(LARGE_COUNT)
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts_count = 0
        """How often connections were closed because frames may have been lost."""

    def __iter__(self) -> Iterator[Place]:
        return iter([place for slot in self._slots.values() for place in slot.places.values()])

    def __len__(self) -> int:
        """Return how many connections have entered, replaced ones included until they end (CORAL-32)."""
        return sum(len(slot.places) for slot in self._slots.values())

    @property
    def pairs_count(self) -> int:
        """How many pairs count here: a live phone always, an agent if no phone is there."""
        return sum(place.live and (place.end.role is Role.PHONE or not place.paired) for place in self)

    def counted(self) -> tuple[int, int]:
        """Return how many connections and how many pairs count here."""
        return len(self), self.pairs_count

    @property
    def busy_count(self) -> int:
        """How many connections do not keep up."""
        return sum(place.busy for place in self)

    # --- for handlers ------------------------------------------------------------------------------------------------

    def expect(self, pair: PairId, role: Role) -> None:
        self._slots.setdefault((pair, role), Slot()).entering_count += 1

    def settle(self, pair: PairId, role: Role) -> None:
        slot = self._slots[pair, role]
        slot.entering_count -= 1
        if not slot.entering_count:
            # A frame that still waits was for a connection that failed to enter. What ends connections is for all.
            waiting, slot.waiting, slot.waiting_bytes, slot.lost = slot.waiting, deque(), 0, False
            for wake in waiting:
                if isinstance(wake, Superseded | Revoked):
                    _end_places(slot, wake)
            self._drop_if_empty(pair, role)

    def seat(self, session: Session, *, paired: bool) -> None:
        end = session.attending()
        self._slots[end.pair, end.role].places[end.number] = Place(session, end, self._find_teller(session), paired)

    def go_live(self, session: Session) -> None:
        end = session.attending()
        slot = self._slots[end.pair, end.role]
        place = slot.places.get(end.number)
        if place is None:
            return  # its connection has ended meanwhile
        if slot.lost:
            place.teller.close(Ending.STORE)
            return
        place.live = True
        _end_places(slot, Superseded(end.number))
        waiting, slot.waiting = slot.waiting, deque()
        for wake in waiting:
            if isinstance(wake, Superseded | Revoked) or wake.number != end.number:
                slot.waiting.append(wake)
            else:
                self._work(place, wake)

    def unseat(self, session: Session) -> None:
        end = session.end
        slot = self._slots.get((end.pair, end.role)) if end is not None else None
        if end is None or slot is None:
            return
        place = slot.places.pop(end.number, None)
        if place is not None:
            place.live, place.gone = False, True
            place.handed()
            self._take_back_turn(place)
        self._drop_if_empty(end.pair, end.role)

    def pass_on(self, session: Session, frame: bytes, receipt: Callable[[Passing | StorageUnavailable], None]) -> bool:
        place = self._place(session)
        large = len(frame) > LARGE_BYTES
        if large:
            if place.unhanded is not None or not (place.admitted or self._gate.enter()):
                return False
            place.admitted = False
            place.unhanded = asyncio.get_running_loop().create_future()
        receipt = partial(self._sent, place, receipt, len(frame), large)
        self._channels.pass_on(place.end, frame, receipt, handed=large)
        return True

    async def handed_over(self, session: Session) -> None:
        place = self._place(session)
        try:
            async with asyncio.timeout(HANDED_SECONDS):
                if place.unhanded is not None:
                    await asyncio.shield(place.unhanded)
                if not place.admitted:
                    await self._gate.wait()
                    place.admitted = True
        except TimeoutError:
            raise PeerBusy from None
        if place.gone:
            self._take_back_turn(place)

    def _sent(
        self,
        place: Place,
        receipt: Callable[[Passing | StorageUnavailable], None],
        frame_bytes: int,
        large: bool,
        outcome: Passing | StorageUnavailable,
    ) -> None:
        if large:
            self._gate.leave()
        if outcome is Passing.PASSED:
            self._counts.passed += 1
            self._counts.passed_bytes += frame_bytes
        elif large:
            place.handed()
        receipt(outcome)

    def _take_back_turn(self, place: Place) -> None:
        if place.admitted:
            place.admitted = False
            self._gate.leave()

    def _place(self, session: Session) -> Place:
        end = session.attending()
        slot = self._slots.get((end.pair, end.role))
        place = slot.places.get(end.number) if slot is not None else None
        if place is None:
            raise Unavailable
        return place

    def _drop_if_empty(self, pair: PairId, role: Role) -> None:
        slot = self._slots.get((pair, role))
        if slot is not None and not slot.places and not slot.entering_count:
            del self._slots[pair, role]
            self._channels.forget(pair, role)

    # --- for the store -----------------------------------------------------------------------------------------------

    def heard(self, pair: PairId, role: Role, wake: SlotWake) -> None:
        slot = self._slots.get((pair, role))
        if slot is None:
            return  # forgotten while it was under way
        if isinstance(wake, Superseded | Revoked):
            if type(wake) is Revoked or not slot.entering_count:
                _end_places(slot, wake)
            if slot.entering_count:
                # The newcomer is told that it has entered before the one that it replaces is closed (CORAL-25).
                self._wait(slot, wake)
            return
        place = slot.places.get(wake.number)
        if place is not None and place.live:
            self._work(place, wake)
        elif slot.entering_count:
            self._wait(slot, wake)

    def cut(self) -> None:
        """Close everybody: what was sent to them meanwhile is lost, and they come back to a fresh start (DEL-34)."""
        self.lose_all("store.cut")

    def lose_all(self, why: str) -> None:
        """Close all connections, because none can be proven to be the current one of its slot."""
        entering = [slot for slot in self._slots.values() if slot.entering_count and not slot.lost]
        places = [place for place in self if place.live]
        if entering or places:
            self.cuts_count += 1
            log.warning("pairs.lost", reason=why, connections=len(places))
        for slot in entering:
            slot.lost = True
        for place in places:
            place.live = False
            place.teller.close(Ending.STORE)

    def go_on(self) -> None:
        """Look after slow readers and a silent store; called about once a second."""
        if self._slots and self._channels.silent_seconds() > self._rules.unproven_seconds:
            self.lose_all("store.silent")
        for place in self:
            if place.busy and self._has_room(place):
                self._mark(place, busy=False)

    def _has_room(self, place: Place) -> bool:
        rules = self._rules
        few = place.waiting_count <= rules.busy_count // 3
        return few and place.teller.buffered_bytes <= rules.busy_bytes // 3

    def _wait(self, slot: Slot, wake: SlotWake) -> None:
        slot.waiting.append(wake)
        slot.waiting_bytes += len(wake.frame) if type(wake) is PassedOn else 0
        if slot.waiting_bytes > WAITING_BYTES or len(slot.waiting) > WAITING_COUNT:
            # What ends connections is not for the one that enters alone, and must not be lost with it.
            slot.waiting = deque(wake for wake in slot.waiting if isinstance(wake, Superseded | Revoked))
            slot.waiting_bytes = 0
            slot.lost = True

    def _work(self, place: Place, wake: PassedOn | PeerUp | PeerDown | HandedOver) -> None:
        if type(wake) is PassedOn:
            self._give(place, wake)
            return
        place.handed()
        if type(wake) is PeerUp:
            self._counts.wakes_peer += 1
            place.paired = True
            place.teller.tell(PeerCame())
        elif type(wake) is PeerDown:
            self._counts.wakes_peer += 1
            place.paired = False
            place.teller.tell(PeerWent())

    def _give(self, place: Place, wake: PassedOn) -> None:
        frame, rules = wake.frame, self._rules
        place.teller.tell(Relayed(frame))
        place.queue.put(len(frame))
        self._counts.wakes_passed_on += 1
        if wake.back:
            self._channels.hand_over(place.end.pair, place.end.role.other, wake.back)
        buffered_bytes = place.teller.buffered_bytes
        count = place.queue.waiting_count(buffered_bytes)
        if count > rules.queue_count or buffered_bytes > rules.queue_bytes:
            # A current connection never loses a frame, so this one must end (DEL-39).
            place.teller.close(Ending.SLOW_CONSUMER, discard=True)
        elif (count >= rules.busy_count or buffered_bytes >= rules.busy_bytes) and not place.busy:
            self._mark(place, busy=True)

    def _mark(self, place: Place, *, busy: bool) -> None:
        if not place.marking:
            place.marking = True
            task = asyncio.get_running_loop().create_task(self._have_marked(place, busy=busy))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _have_marked(self, place: Place, *, busy: bool) -> None:
        try:
            await self._channels.mark(place.end, busy=busy)
            place.busy = busy
        except StorageUnavailable as error:
            # Whoever comes next tries again: another frame, or, if it was marked after all, the look once a second.
            place.busy = place.busy or error.sent
            log.warning("slot.unmarked", busy=busy, reason=str(error))
        finally:
            place.marking = False


def _end_places(slot: Slot, wake: Superseded | Revoked) -> None:
    for place in tuple(slot.places.values()):
        if isinstance(wake, Revoked):
            place.live = False
            place.teller.close(Ending.REVOKED)
        elif place.end.number < wake.number:
            # What it was not sent yet was made for its keys (CORAL-25).
            place.live = False
            place.teller.close(Ending.REPLACED, discard=True)
