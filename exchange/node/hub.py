"""The users who have a session on this node, and what arrives for them (DEL-32, DEL-33, DEL-36).

Wakes of one user are worked off one after another, at once and without a task, unless the user is held: then they wait.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog

from exchange.core.errors import ExchangeError
from exchange.core.events import Delivered, Event, FriendCame, FriendChanged, FriendWent
from exchange.core.features import OFFLINE, PRESENCE
from exchange.core.ids import Offset, Uid
from exchange.core.links import LinkTable, changed, differences, differs
from exchange.core.model import Envelope, Kind, Link, MailState
from exchange.core.session import Session, State
from exchange.core.user import LocalUser
from exchange.core.wakes import Linked, Mail, Replaced, Unlinked, Wake
from exchange.front import Ending, Landing, Teller, Tenure, Unsaid
from exchange.hotcounts import HotCounts
from exchange.node.delivery import RULES, Delivery, MailRules
from exchange.node.reconcile import reload_all
from exchange.node.seat import Seat
from exchange.ports import Store

log = structlog.get_logger()

BACKLOG_COUNT = 64
BACKLOG_BYTES = 1024 * 1024
"""Envelopes that may wait for one held user (DEL-32). Changes of links always may."""
_QUESTION = int(Kind.QUESTION)


class LocalHub:
    """Implements ``front.Hub`` for handlers and ``ports.Listener`` for the store."""

    def __init__(
        self, store: Store, find_teller: Callable[[Session], Teller], counts: HotCounts, rules: MailRules = RULES
    ) -> None:
        self._store = store
        self._rules = rules
        self._find_teller = find_teller
        self._counts = counts
        self._seats: dict[Uid, Seat] = {}
        self._expected: dict[tuple[Uid, str], Landing] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._links = store.links
        self._now_ms = store.clock.now_ms
        self.gaps_count = 0
        self.missed_count = 0
        self.changes_count = 0
        """Grows whenever somebody comes or goes or a table changes; whoever saw this number has seen it all."""
        self.tenure: Tenure
        """Set by the composition root: hub and lease need each other."""

    def __len__(self) -> int:
        return len(self._seats)

    def __iter__(self) -> Iterator[Seat]:
        return iter(list(self._seats.values()))

    @property
    def behind_count(self) -> int:
        """How many sessions are given mail only as they make room for it."""
        return sum(seat.delivery is not None and seat.delivery.behind for seat in self._seats.values())

    # --- for handlers ------------------------------------------------------------------------------------------------

    def seat(self, user: LocalUser, session: Session) -> None:
        teller = self._find_teller(session)
        before = self._seats.get(user.uid)
        if before is not None and before.session is not session:
            self.displace(before)
        user.held += 1
        self.changes_count += 1
        self._seats[user.uid] = Seat(user, session, teller)

    def unseat(self, user: LocalUser) -> Unsaid:
        seat = self._seats.get(user.uid)
        unsaid = Unsaid()
        if seat is not None and seat.user is user:
            del self._seats[user.uid]
            unsaid = seat.end()
            self.changes_count += 1
        self._drop_envelopes(user, "live_gone")
        user.backlog.clear()
        return unsaid

    def holds(self, uid: Uid) -> bool:
        return uid in self._seats

    def hold(self, user: LocalUser) -> None:
        user.held += 1

    def release(self, user: LocalUser) -> None:
        user.held -= 1
        self.changes_count += 1
        seat = self._seats.get(user.uid)
        while not user.held and user.backlog and seat is not None:
            wake = user.backlog.popleft()
            user.backlog_bytes -= _size(wake)
            self._work(seat, wake)

    async def reload(self, user: LocalUser, *, known: frozenset[Uid] = frozenset()) -> None:
        rev, links = await self._links.table(user.uid)
        fresh = LinkTable(links, rev)
        came, went = differences(user.links, fresh)
        shifts = changed(user.links, fresh)
        seat = self._seats.get(user.uid)
        unheard = seat.unannounced if seat is not None else set[Uid]()
        # Their announcement may be among what was missed. Hearing of a friend twice does no harm.
        came += [link for link in fresh if link.peer in unheard and link not in came]
        user.links = fresh
        self.changes_count += 1
        for link in went:
            if link.peer not in known and link.peer not in unheard:
                self.tell(user, FriendWent(link.name, link.nick))
        for link in came:
            if link.peer not in known:
                self.tell(user, FriendCame(link))
        if seat is not None:
            for old, new in shifts:
                self._shift(seat, old, new)
        unheard.clear()

    def changed(self) -> None:
        self.changes_count += 1

    def tell(self, user: LocalUser, event: Event) -> None:
        seat = self._seats.get(user.uid)
        if seat is not None and seat.user is user:
            seat.teller.tell(event)

    async def begin_mail(self, user: LocalUser, state: MailState | None) -> None:
        seat = self._seats.get(user.uid)
        if seat is None or seat.user is not user or OFFLINE not in seat.session.features or seat.delivery is not None:
            return
        seat.delivery = Delivery(user, seat.session, seat.teller, self._store, self._rules, self._counts, self._spawn)
        if state is None:
            seat.delivery.behind = True  # it is read as soon as the store answers
        else:
            await seat.delivery.begin(state)

    def end_mail(self, user: LocalUser) -> None:
        seat = self._seats.get(user.uid)
        if seat is not None and seat.user is user and seat.delivery is not None:
            seat.delivery.end()
            seat.delivery = None

    def ack(self, user: LocalUser, upto: Offset) -> bool:
        seat = self._seats.get(user.uid)
        return seat is None or seat.delivery is None or seat.delivery.ack(upto)

    def expect(self, sender: Uid, id_: str, landing: Landing) -> None:
        self._expected[sender, id_] = landing

    def unexpect(self, sender: Uid, id_: str) -> None:
        self._expected.pop((sender, id_), None)

    # --- for the store -----------------------------------------------------------------------------------------------

    def woken(self, uid: Uid, wake: Wake, size_bytes: int) -> None:
        """Work off a wake, or let it wait for a hold to end. The hot path of the recipient's node."""
        seat = self._seats.get(uid)
        if seat is None:
            if type(wake) is Envelope:
                self._refuse(wake, "live_gone")
            return
        user = seat.user
        if user.held:
            self._wait(user, wake, size_bytes)
        elif self.tenure.current():
            self._work(seat, wake)
        else:
            self.hold(user)
            self._wait(user, wake, size_bytes)
            self._spawn(self._renewed(user))

    def gap(self) -> None:
        """Read all tables again, in paced batches, and tell the differences (DEL-34).

        The lease first: a store that came back empty has fenced this node, and every session is attached anew.
        """
        self.tenure.doubt()
        self.gaps_count += 1
        log.warning("wakes.gap", users=len(self._seats))
        # As of now: what is accepted from here on is accepted by a store that is back.
        sent = [(seat, dict(seat.session.sent)) for seat in self._seats.values() if seat.session.sent]
        self._spawn(reload_all(self, self._store, sent))

    # --- one wake ----------------------------------------------------------------------------------------------------

    def _wait(self, user: LocalUser, wake: Wake, size_bytes: int) -> None:
        full = len(user.backlog) >= BACKLOG_COUNT or user.backlog_bytes + size_bytes > BACKLOG_BYTES
        if full and type(wake) is Envelope:
            self._refuse(wake, "live_full")
            return
        if full and type(wake) is Mail:
            wake = wake._replace(envelope=None)  # the mailbox has it
        user.backlog.append(wake)
        user.backlog_bytes += _size(wake)

    def _work(self, seat: Seat, wake: Wake) -> None:
        if type(wake) is Envelope:
            self._counts.wakes_envelope += 1
            link = seat.user.links.get(wake.sender)
            if link is not None and link.connection == wake.connection:
                self._hand_over(seat, wake, link)
            else:
                # The table may be behind; if it is not, somebody writes to who is no friend of theirs (S38).
                self.hold(seat.user)
                self._spawn(self._look_again(seat, wake))
        elif type(wake) is Mail:
            if seat.delivery is not None:
                seat.delivery.woken(wake)
        elif type(wake) is Linked:
            self._counts.wakes_linked += 1
            self._linked(seat, wake)
        elif type(wake) is Unlinked:
            self._counts.wakes_unlinked += 1
            self._unlinked(seat, wake)
        elif type(wake) is Replaced:
            self._counts.wakes_replaced += 1
            if wake.sid != seat.session.sid:
                self.displace(seat)

    def _hand_over(self, seat: Seat, envelope: Envelope, link: Link) -> None:
        if self._now_ms() > envelope.deadline_ms:
            self._refuse(envelope, "live_late")
            return
        if envelope.kind == _QUESTION:
            seat.session.last_asker = envelope.sender
        seat.teller.tell(Delivered(envelope, link.name, link.nick))
        if self._expected:
            self._land(envelope, taken=True)

    def _refuse(self, envelope: Envelope, reason: str, *, taken: bool | None = False) -> None:
        setattr(self._counts, reason, getattr(self._counts, reason) + 1)
        if self._expected:
            self._land(envelope, taken=taken)

    def _drop_envelopes(self, user: LocalUser, reason: str) -> None:
        kept = [wake for wake in user.backlog if type(wake) is not Envelope]
        for wake in user.backlog:
            if type(wake) is Envelope:
                self._refuse(wake, reason)
        user.backlog.clear()
        user.backlog.extend(kept)
        user.backlog_bytes = 0

    def _land(self, envelope: Envelope, *, taken: bool | None) -> None:
        landing = self._expected.pop((envelope.sender, envelope.id), None)
        if landing is not None:
            landing.landed(taken=taken)

    def _linked(self, seat: Seat, wake: Linked) -> None:
        links = seat.user.links
        if not self._fits(seat, wake):
            return
        old, link = links.get(wake.peer), wake.link()
        links.put(link)
        links.rev = wake.rev
        known = old is not None and wake.peer not in seat.unannounced
        if not wake.announce:
            if old is None:
                seat.unannounced.add(wake.peer)
            elif known and differs(old, link):
                self._shift(seat, old, link)
            return
        seat.unannounced.discard(wake.peer)
        if old is None or not known or not link.persist or old.connection != link.connection:
            seat.teller.tell(FriendCame(link))
        elif differs(old, link):
            self._shift(seat, old, link)
        elif old.stamp == link.stamp:
            # It redeemed another invitation (MAGI-29). With a new stamp it came back before we heard that it had gone.
            seat.teller.tell(FriendCame(link))

    def _shift(self, seat: Seat, old: Link, link: Link) -> None:
        """Tell that a persistent friend came, went or changed; who watches presence hears of goings after a while (DEL-30)."""
        watches = PRESENCE in seat.session.features
        if not watches:
            if old.waiting != link.waiting:
                seat.teller.tell(FriendChanged(link))
        elif link.waiting:
            seat.flaps.begin(old, self._rules.flap_seconds, lambda: self._gone(seat, link))
        else:
            told = seat.flaps.end(link.peer)
            if told is None or differs(told, link):
                seat.teller.tell(FriendChanged(link))

    def _gone(self, seat: Seat, link: Link) -> None:
        now = seat.user.links.get(link.peer)
        if now is not None and now.waiting and now.connection == link.connection:
            seat.teller.tell(FriendChanged(now))

    def displace(self, seat: Seat) -> None:
        """Another session took over: this one hears nothing more, and its client is told to go (MAGI-46)."""
        seat.session.state = State.ENDED
        self.unseat(seat.user)
        seat.teller.close(Ending.REPLACED)

    def _unlinked(self, seat: Seat, wake: Unlinked) -> None:
        links = seat.user.links
        if not self._fits(seat, wake):
            return
        links.rev = wake.rev
        link = links.get(wake.peer)
        if link is not None and link.connection == wake.connection:
            links.drop(wake.peer)
            seat.flaps.end(wake.peer)
            if wake.peer in seat.unannounced:
                seat.unannounced.discard(wake.peer)
            else:
                seat.teller.tell(FriendWent(link.name, link.nick))

    def _fits(self, seat: Seat, wake: Linked | Unlinked) -> bool:
        """Tell whether a change follows on the table at hand; if one between was missed, read the table again."""
        rev = seat.user.links.rev
        self.changes_count += 1
        if wake.rev <= rev:
            return False
        if wake.prev == rev:
            return True
        self.missed_count += 1
        self.hold(seat.user)
        self._spawn(self._reload_held(seat.user))
        return False

    # --- beside the hot path -----------------------------------------------------------------------------------------

    async def _look_again(self, seat: Seat, envelope: Envelope) -> None:
        user = seat.user
        try:
            await self.reload(user)
            link = user.links.get(envelope.sender)
            if link is not None and link.connection == envelope.connection and self._seats.get(user.uid) is seat:
                self._hand_over(seat, envelope, link)
            else:
                self._refuse(envelope, "live_unlinked")
        except ExchangeError as error:
            log.warning("table.unread", reason=str(error))
            self._refuse(envelope, "live_unlinked", taken=None)
        finally:
            self.release(user)

    async def _renewed(self, user: LocalUser) -> None:
        """Let the wakes of a user wait until this node certainly may act for it; drop envelopes if it may not."""
        try:
            await self.tenure.assure()
        except ExchangeError as error:
            log.warning("wakes.dropped", reason=str(error))
            self._drop_envelopes(user, "live_fenced")
        finally:
            self.release(user)

    async def reload_quietly(self, user: LocalUser) -> None:
        """Hold a user, read its table again and tell the differences; a failure is only noted."""
        self.hold(user)
        await self._reload_held(user)

    def seated(self, seat: Seat) -> bool:
        """Tell whether this is still the place of its user."""
        return self._seats.get(seat.user.uid) is seat

    def go_on(self) -> None:
        """Give mail to those who were behind, if there is room now; called about once a second."""
        for seat in self._seats.values():
            if seat.delivery is not None and seat.delivery.behind:
                seat.delivery.go_on()

    async def _reload_held(self, user: LocalUser) -> None:
        try:
            await self.reload(user)
        except ExchangeError as error:
            # Whoever makes the store reachable again reports a gap, and then all tables are read anew.
            log.warning("table.unread", reason=str(error))
        finally:
            self.release(user)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _size(wake: Wake) -> int:
    envelope = wake.envelope if type(wake) is Mail else wake
    return len(envelope.body) if type(envelope) is Envelope else 0
