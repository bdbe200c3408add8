"""What waits here, and who looks at it (CLI-27)."""

from collections.abc import Sequence

from magi.client.errors import AlreadySettled
from magi.client.model import Incoming, Kind, Origin
from magi.client.states import State
from magi.daemon import views
from magi.daemon.papers import Papers
from magi.daemon.people import People
from magi.daemon.port import AskView, Caller, Inbox, Item, Waiting
from magi.daemon.premises import Premises
from magi.daemon.reports import Reports
from magi.desk import consent
from magi.desk.ports import LEASE_MS

SHOWN = (Kind.ASK, Kind.NOTE, Kind.ANSWER, Kind.DECLINE, Kind.NOTICE, Kind.FOREIGN)
LIMIT_MOST = 100


class Reading:
    """Shows items, and claims them for whoever takes them."""

    def __init__(self, premises: Premises, people: People, papers: Papers, reports: Reports) -> None:
        self._premises = premises
        self._store = premises.store
        self._people = people
        self._papers = papers
        self._reports = reports

    async def inbox(self, *, caller: Caller, limit: int, wait_seconds: float, peek: bool, ask_id: str) -> Inbox:
        """As :meth:`magi.daemon.port.Desk.inbox`."""
        look = self._answer if ask_id else self._open
        deadline_ms = self._premises.now_ms() + max(wait_seconds, 0.0) * 1000
        while True:
            beats = self._premises.pulse.beats
            found = await look(caller, ask_id, min(max(limit, 1), LIMIT_MOST))
            left_ms = deadline_ms - self._premises.now_ms()
            if found or left_ms <= 0:
                break
            if change_ms := await self._store.claims.next_change_ms():
                left_ms = min(left_ms, max(change_ms - self._premises.now_ms(), 0) + 1)
            await self._premises.pulse.after(beats, seconds=left_ms / 1000)
        if found and not peek:
            found = await (self._note(found) if ask_id else self._claim(found, caller))
        return Inbox(tuple([await self._item(message) for message in found]), await self.waiting(_session(caller)))

    async def waiting(self, session: str = "") -> Waiting:
        """Return how much waits: for nobody in particular, or for a session, with what it has already."""
        counts = await self._store.record.waiting(session)
        questions = [await self._people.petname(user) for user, count in counts.questions.items() for _ in range(count)]
        return Waiting(tuple(questions), counts.answers, counts.held, counts.notices)

    async def peek(self, limit: int) -> Inbox:
        """Return what nobody has, and what waits."""
        offers = await self._store.claims.offered("", SHOWN, limit=limit)
        return Inbox(tuple([await self._item(offer.message) for offer in offers]), await self.waiting())

    async def defer(self, message: Incoming, seconds: float) -> None:
        """Show an item to nobody for a while.

        Raises:
            AlreadySettled: It does not wait any more.
        """
        until_ms = self._premises.now_ms() + round(max(seconds, 0.0) * 1000)
        if not await self._store.claims.defer(message.sender, message.id, until_ms):
            raise AlreadySettled
        self._premises.pulse.beat()

    async def ack(self, message: Incoming) -> None:
        """Take note of an item. Errors as of :meth:`defer`."""
        if not await self._store.settle(message.sender, message.id, "acked"):
            raise AlreadySettled
        self._reports.forget(message)
        self._premises.pulse.beat()

    async def history(self, who: str, *, search: str, limit: int, caller: Caller) -> tuple[Item | AskView, ...]:
        """As :meth:`magi.daemon.port.Desk.history`; words of muted friends are for the owner only."""
        username = await self._people.username(who) if who else ""
        origin = consent.speaker(caller.face, caller.origin)
        shown: list[Item | AskView] = []
        for message in await self._store.record.history(username, search=search, limit=max(limit, 1)):
            if not isinstance(message, Incoming):
                shown.append(views.sent(message, await self._people.petname(message.to)))
            elif await self._people.shows(message.sender, origin):
                shown.append(await self._item(message))
        return tuple(shown)

    async def _answer(self, caller: Caller, ask_id: str, _limit: int) -> Sequence[Incoming]:
        """Return what settled an ask, also if somebody has seen it before."""
        answer = await self._store.answer_to((await self._papers.ours(ask_id)).id)
        if answer is None or not await self._people.shows(answer.sender, consent.speaker(caller.face, caller.origin)):
            return ()
        return (answer,)

    async def _open(self, caller: Caller, _ask_id: str, limit: int) -> Sequence[Incoming]:
        """Return what a caller may look at. The owner sees everything, also what an assistant has or what is muted."""
        if consent.speaker(caller.face, caller.origin) is Origin.HUMAN:
            now_ms = self._premises.now_ms()
            found = await self._store.inbox(SHOWN, limit=limit)
            return [message for message in found if not 0 < message.expires_ms <= now_ms]
        return [offer.message for offer in await self._store.claims.offered(_session(caller), SHOWN, limit=limit)]

    async def _claim(self, found: Sequence[Incoming], caller: Caller) -> Sequence[Incoming]:
        """Claim items; what another one took meanwhile goes to that one only, and to the owner."""
        until_ms = self._premises.now_ms() + LEASE_MS
        claimed = await self._store.claims.claim(found, _session(caller), until_ms)
        for message in claimed:
            await self._reports.tell(message, State.SEEN)
        self._premises.pulse.beat()
        return found if consent.speaker(caller.face, caller.origin) is Origin.HUMAN else claimed

    async def _note(self, found: Sequence[Incoming]) -> Sequence[Incoming]:
        """Take note of an answer that was asked for by name: it does not wait any more."""
        for message in found:
            if await self._store.settle(message.sender, message.id, "acked"):
                self._premises.pulse.beat()
        return found

    async def _item(self, message: Incoming) -> Item:
        return views.item(message, await self._people.petname(message.sender, message.nickname))


def _session(caller: Caller) -> str:
    return caller.session or caller.face
