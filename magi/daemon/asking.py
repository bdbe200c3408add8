"""Questions and notes of ours: from the face into the outbox, and what became of them."""

import asyncio

from magi.client.asks import Ask
from magi.client.model import Incoming, Kind, Origin, Outgoing, Trace
from magi.client.outbox import new_id
from magi.client.states import State
from magi.daemon import views
from magi.daemon.papers import Papers
from magi.daemon.people import People
from magi.daemon.port import AskView, Caller, DeskError
from magi.daemon.premises import Premises
from magi.desk import consent, limits, loops, scan
from magi.desk.consent import Move

REFUSED_STATUS = 7
UNSENT = frozenset({State.HELD_HERE, State.PENDING})
SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 7 * 86_400.0
"""As long as the exchange keeps mail by default."""


class Asking:
    """Asks in the owner's name. Every rule about what leaves is checked here (CLI-33 to CLI-39)."""

    def __init__(self, premises: Premises, people: People, papers: Papers) -> None:
        self._premises = premises
        self._client = premises.client
        self._store = premises.store
        self._people = people
        self._papers = papers

    async def ask(
        self,
        who: str,
        text: str,
        *,
        caller: Caller,
        thread: str,
        wants_answer: bool,
        expires_seconds: float,
        parent: str,
        id_: str,
    ) -> AskView:
        """As :meth:`magi.daemon.port.Desk.ask`."""
        if id_ and (known := await self._store.out(id_)):
            return await self.view(known)
        if not text.strip():
            raise DeskError("There is no question. Nothing was sent.", 2)
        origin = consent.speaker(caller.face, caller.origin)
        to = await self._people.addressee(who)
        kind = Kind.ASK if wants_answer else Kind.NOTE
        await self._check_limits(to, text, kind)
        source = await self._source(parent, caller, origin)
        now_ms = self._premises.now_ms()
        message = Outgoing(
            id=id_ or new_id(),
            to=to,
            kind=kind,
            text=text,
            made_ms=now_ms,
            expires_ms=now_ms + round(min(max(expires_seconds, SHORTEST_SECONDS), LONGEST_SECONDS) * 1000),
            thread=thread or (source.thread if source and parent else ""),
            parent=source.id if source else "",
            origin=origin,
            trace=await self._trace(source, origin),
        )
        return await self._put(message)

    async def wait(self, ask_id: str, seconds: float) -> AskView:
        """As :meth:`magi.daemon.port.Desk.wait`."""
        message = await self._papers.ours(ask_id)
        ask = await self._client.find(message.id)
        assert ask is not None
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await _over(ask, message.kind)
        except TimeoutError:
            view = await self.view(message, fresh=True)
            if not State(view.state).final:
                return view
        answer = await self._store.answer_to(message.id)
        if answer is not None and await self._store.settle(answer.sender, answer.id, "acked"):
            self._premises.pulse.beat()
        return await self.view(message, fresh=True)

    async def withdraw(self, ask_id: str) -> AskView:
        """As :meth:`magi.daemon.port.Desk.withdraw`."""
        message = await self._papers.ours(ask_id)
        if message.state is State.HELD_HERE:
            await self._store.drafts.drop(message.id)
        elif ask := await self._client.find(message.id):
            await ask.withdraw()
        self._premises.pulse.beat()
        return await self.view(message, fresh=True)

    async def view(self, message: Outgoing, *, fresh: bool = False, detail: str = "") -> AskView:
        """Return a message of ours as a face sees it; ``fresh``: as it stands now."""
        now = (await self._store.out(message.id) or message) if fresh else message
        answer = await self._store.answer_to(now.id) if now.kind is Kind.ASK else None
        return views.sent(now, await self._people.petname(now.to), answer, detail=detail)

    # --- the rules ---------------------------------------------------------------------------------------------------

    async def _check_limits(self, to: str, text: str, kind: Kind) -> None:
        record, since_ms = self._store.record, self._premises.now_ms() - limits.SAME_TEXT_MS
        limit = limits.ask_limit(
            open_count=await record.open_count(to) if kind is Kind.ASK else 0,
            said_before=await record.said(to, text, since_ms=since_ms),
        )
        if limit is not None:
            raise DeskError(limit.value, REFUSED_STATUS)

    async def _source(self, parent: str, caller: Caller, origin: Origin) -> Incoming | Outgoing | None:
        """Return what an ask comes of: what the face says, else the question that its assistant has before it (CLI-39)."""
        if parent:
            return await self._papers.either(parent)
        if origin is Origin.HUMAN:
            return None
        offers = await self._store.claims.offered(caller.session, (Kind.ASK,))
        claimed = [offer.message for offer in offers if caller.session and offer.session == caller.session]
        return claimed[-1] if claimed else None

    async def _trace(self, source: Incoming | Outgoing | None, origin: Origin) -> Trace:
        secret = await self._store.ledger.secret()
        trace = loops.extended(source.trace if source else None, origin, secret=secret, fresh_id=new_id())
        if loop := loops.outgoing(trace, secret=secret):
            raise DeskError(f"{loop.value} Nothing was sent.", REFUSED_STATUS)
        return trace

    async def _put(self, message: Outgoing) -> AskView:
        ledger, found = self._store.ledger, scan.scan(message.text)
        mode, paused = await ledger.mode(message.to), await ledger.paused()
        verdict = consent.verdict(message.kind, mode, message.origin, allowed=False, paused=paused, leaks=bool(found))
        if verdict.move is Move.REFUSE:
            raise DeskError("This friend is muted: only the owner writes to it. Nothing was sent.", REFUSED_STATUS)
        if verdict.move is Move.HOLD:
            await self._store.drafts.hold(message, str(verdict.reason))
        else:
            await self._store.audit.permit(message.id, by=verdict.by, how=verdict.how)
            await self._client.send(message)
        self._premises.pulse.beat()
        return await self.view(message, fresh=True, detail=scan.told(found))


async def _over(ask: Ask, kind: Kind) -> None:
    """Wait until nothing more is to come of a message."""
    async for state in ask.states():
        if state.final or (kind is not Kind.ASK and state not in UNSENT):
            return
