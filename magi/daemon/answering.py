"""Answers of ours, and drafts that wait for the owner (CLI-33, CLI-34)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from magi.client.errors import AlreadySettled
from magi.client.inbox import ANSWER_LIFE_MS
from magi.client.model import Incoming, Kind, Origin, Outgoing
from magi.client.outbox import new_id
from magi.client.states import State
from magi.daemon import views
from magi.daemon.people import People
from magi.daemon.port import AskView, DeskError, Held
from magi.daemon.premises import Premises
from magi.daemon.reports import Reports
from magi.desk import consent, scan
from magi.desk.consent import Approval, Move
from magi.desk.ports import Draft

HELD_STATUS = 10
REFUSED_STATUS = 7


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody wants to say to a question."""

    kind: Kind
    text: str
    origin: Origin


class Answering:
    """Answers in the owner's name, if the owner lets it."""

    def __init__(
        self,
        premises: Premises,
        people: People,
        reports: Reports,
        *,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self._premises = premises
        self._client = premises.client
        self._store = premises.store
        self._people = people
        self._reports = reports
        self._now = now

    async def reply(self, question: Incoming, reply: Reply) -> AskView:
        """Send a reply, or hold it for the owner.

        Raises:
            AlreadySettled: Somebody was faster, or a draft waits already.
            DeskError: Not for this friend.
        """
        if question.kind not in {Kind.ASK, Kind.NOTE}:
            raise DeskError(f"{question.id} is no question. Nothing was sent.", 2)
        now_ms = self._premises.now_ms()
        message = Outgoing(
            id=new_id(),
            to=question.sender,
            kind=reply.kind,
            text=reply.text,
            made_ms=now_ms,
            expires_ms=now_ms + ANSWER_LIFE_MS,
            reply_to=question.id,
            thread=question.thread,
            origin=reply.origin,
            trace=question.trace,
        )
        ledger, found = self._store.ledger, scan.scan(message.text)
        verdict = consent.verdict(
            reply.kind,
            await ledger.mode(question.sender),
            reply.origin,
            allowed=await ledger.allowed(question.sender, thread=question.thread),
            paused=await ledger.paused(),
            leaks=bool(found),
        )
        if verdict.move is Move.REFUSE:
            raise DeskError("This friend is muted: only the owner answers it. Nothing was sent.", REFUSED_STATUS)
        if verdict.move is Move.HOLD:
            await self._store.drafts.hold(message, str(verdict.reason))
            await self._reports.tell(question, State.HELD)
        else:
            await self._store.audit.permit(message.id, by=verdict.by, how=verdict.how)
            await self._client.send(message)
            await self._withdraw_draft_of(question)
        self._premises.pulse.beat()
        return await self._view(message, detail=scan.told(found))

    async def refuse(self, question: Incoming, reason: str, *, rule: str) -> None:
        """Decline by a rule of this program, which needs nobody's consent. Too late is fine."""
        now_ms = self._premises.now_ms()
        message = Outgoing(
            id=new_id(),
            to=question.sender,
            kind=Kind.DECLINE,
            text=reason,
            made_ms=now_ms,
            expires_ms=now_ms + ANSWER_LIFE_MS,
            reply_to=question.id,
            thread=question.thread,
            origin=Origin.AUTO,
            trace=question.trace,
        )
        await self._store.audit.permit(message.id, by="rule", how=rule)
        try:
            await self._client.send(message)
        except AlreadySettled:
            return
        self._premises.pulse.beat()

    async def held(self) -> tuple[Held, ...]:
        """Return all drafts, oldest first."""
        return tuple([await self._held(draft) for draft in await self._store.drafts.held()])

    async def review(self, held_id: str, *, approve: bool, text: str, override: bool, scope: str) -> AskView | None:
        """As :meth:`magi.daemon.port.Desk.review`."""
        draft = await self._draft(held_id)
        message = draft.message
        approval = _approval(scope)
        if not approve:
            await self._store.drafts.drop(message.id)
            self._premises.pulse.beat()
            return None
        found = scan.scan(text or message.text)
        verdict = consent.reviewed(leaks=bool(found), override=override)
        if verdict.move is Move.HOLD:
            raise DeskError(f"{scan.told(found)} Nothing was sent. Edit the text, or override the scan.", HELD_STATUS)
        released = await self._store.drafts.release(message.id, text=text, by=verdict.by, how=verdict.how)
        self._premises.pulse.beat()
        if released is None:
            raise AlreadySettled
        await self._client.flush()
        if draft.question is not None:
            await self._grant(approval, draft.question)
        return await self._view(released)

    async def _grant(self, approval: Approval, question: Incoming) -> None:
        grant = consent.grant(approval, thread=question.thread, now=self._now())
        if grant is None:
            return
        if grant.mode is not None:
            await self._store.ledger.set_mode(question.sender, grant.mode)
        else:
            await self._store.ledger.allow(question.sender, grant.until_ms, thread=grant.thread)

    async def _draft(self, held_id: str) -> Draft:
        fitting = [one for one in await self._store.drafts.held() if one.message.id.startswith(held_id.strip().lower())]
        if not held_id.strip() or not fitting:
            raise DeskError(f"Nothing with the id {held_id[:64]!r} waits for you.")
        if len(fitting) > 1:
            raise DeskError(f"Several ids begin with {held_id[:64]!r}. Give more of it.", 2)
        return fitting[0]

    async def _withdraw_draft_of(self, question: Incoming) -> None:
        for draft in await self._store.drafts.held():
            if (draft.message.to, draft.message.reply_to) == (question.sender, question.id):
                await self._store.drafts.drop(draft.message.id)

    async def _held(self, draft: Draft) -> Held:
        message = draft.message
        return Held(
            id=message.id,
            who=await self._people.petname(message.to),
            question="" if draft.question is None else draft.question.text,
            draft=message.text,
            reason=draft.reason,
            made_ms=message.made_ms,
        )

    async def _view(self, message: Outgoing, *, detail: str = "") -> AskView:
        now = await self._store.out(message.id) or message
        return views.sent(now, await self._people.petname(now.to), detail=detail)


def _approval(scope: str) -> Approval:
    try:
        return Approval(scope)
    except ValueError:
        raise DeskError(f"{scope[:32]!r} is no way to approve: once, thread, today or always.", 2) from None
