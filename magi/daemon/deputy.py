"""Gives questions to the owner's responder when nobody else takes them (CLI-27, CLI-40)."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from magi.client.errors import AlreadySettled
from magi.client.model import Incoming, Kind, Origin
from magi.client.states import State
from magi.daemon.answering import Answering, Reply
from magi.daemon.people import People
from magi.daemon.port import DeskError
from magi.daemon.premises import Premises
from magi.daemon.reports import Reports
from magi.daemon.responder import Errand, Outcome, Responder, Verdict
from magi.desk import limits
from magi.desk.limits import Turn
from magi.desk.ports import Mode, Offer

SESSION = "responder"
ASSISTANTS_SECONDS = 60.0
"""How long assistants that are here may look at a question first."""
SLACK_MS = 30_000
"""A claim lasts longer than a run, so that nobody else gets the question while the minder ends one."""
_log = logging.getLogger(__name__)

Key = tuple[str, str]


class Deputy:
    """Looks at what nobody has, whenever something changed."""

    def __init__(
        self,
        premises: Premises,
        people: People,
        answering: Answering,
        reports: Reports,
        responder: Responder,
        *,
        assisted: Callable[[], bool],
    ) -> None:
        """``assisted`` tells whether an assistant is here."""
        self._premises = premises
        self._store = premises.store
        self._people = people
        self._answering = answering
        self._reports = reports
        self._responder = responder
        self._assisted = assisted
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._owners: set[Key] = set()
        """Questions of which a responder said that the owner is to decide."""
        self._next_ms = 0

    @property
    def set(self) -> bool:
        """Whether the owner has named any command."""
        said = self._premises.config().responder
        return bool(said.command) or any(said.friends.values())

    async def open(self) -> None:
        """Give back what a process before this one had begun: it is to be tried once more (CLI-25)."""
        await self._store.claims.release(SESSION)

    async def look(self) -> None:
        """Start runs for the questions that are the responder's now; tell the friends of all others that they wait.

        One look at a time: the claim of one does not keep out another.
        """
        self._next_ms = 0
        # Those that end while we look come with the next look: the offer of such a one is out of date.
        running = set(self._running)
        for offer in await self._store.claims.offered(SESSION, (Kind.ASK,)):
            if (offer.message.sender, offer.message.id) not in running:
                await self._consider(offer)

    def sooner(self, seconds: float | None) -> float | None:
        """Return when to look again, at the latest in ``seconds``."""
        if not self._next_ms:
            return seconds
        own = (self._next_ms - self._premises.now_ms()) / 1000
        return own if seconds is None else min(own, seconds)

    async def close(self) -> None:
        """End all runs."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _consider(self, offer: Offer) -> None:
        message = offer.message
        turn = await self._turn(offer)
        if turn is Turn.OWNER:
            if not self._assisted():
                await self._reports.tell(message, State.STALLED)
            return
        if turn is Turn.LATER or self._wait_for_assistants(offer):
            return
        until_ms = self._premises.now_ms() + round(limits.RESPONDER_SECONDS * 1000) + SLACK_MS
        if await self._store.claims.claim([message], SESSION, until_ms):
            key = (message.sender, message.id)
            self._running[key] = asyncio.create_task(self._run(message), name="magi-responder")
            self._running[key].add_done_callback(lambda _: self._ended(key))

    async def _turn(self, offer: Offer) -> Turn:
        message = offer.message
        key = (message.sender, message.id)
        if key in self._owners or not self._premises.config().responder.for_friend(message.sender):
            return Turn.OWNER
        if await self._store.ledger.mode(message.sender) is Mode.MUTE:
            return Turn.OWNER
        friends = Counter(sender for sender, _ in self._running)
        return limits.responder_turn(
            tries=offer.tries.get(SESSION, 0),
            running=len(self._running),
            running_for_friend=friends[message.sender],
            answered_in_a_day=await self._answered(message.sender),
        )

    async def _answered(self, username: str) -> int:
        since_ms = self._premises.now_ms() - limits.DAY_MS
        audit, held = self._store.audit, await self._store.drafts.held()
        drafted = [one for one in held if (one.message.to, one.message.origin) == (username, Origin.AUTO)]
        counts = [
            await audit.count(username, kind, by=SESSION, since_ms=since_ms) for kind in (Kind.ANSWER, Kind.DECLINE)
        ]
        return sum(counts) + len(drafted)

    def _wait_for_assistants(self, offer: Offer) -> bool:
        """Tell whether assistants come first: they have a minute, unless one had the question and let it go."""
        if not self._assisted() or any(session != SESSION for session in offer.tries):
            return False
        until_ms = offer.message.received_ms + round(ASSISTANTS_SECONDS * 1000)
        if until_ms <= self._premises.now_ms():
            return False
        self._next_ms = min(self._next_ms or until_ms, until_ms)
        return True

    async def _run(self, question: Incoming) -> None:
        petname = await self._people.petname(question.sender, question.nickname)
        command = self._premises.config().responder.for_friend(question.sender)
        errand = Errand(question.id, question.text, petname, thread=question.thread)
        await self._reports.tell(question, State.SEEN)
        outcome = await self._responder.run(command, errand, friend=question.sender)
        _log.info("responder.ended verdict=%s", outcome.verdict.name.lower())
        if outcome.verdict is Verdict.OWNER:
            self._owners.add((question.sender, question.id))
        if outcome.verdict in {Verdict.ANSWER, Verdict.DECLINE}:
            await self._reply(question, outcome)
        else:
            # The claim ends now: whoever is next need not wait for it.
            await self._store.claims.claim([question], SESSION, self._premises.now_ms())

    async def _reply(self, question: Incoming, outcome: Outcome) -> None:
        kind = Kind.ANSWER if outcome.verdict is Verdict.ANSWER else Kind.DECLINE
        try:
            await self._answering.reply(question, Reply(kind, outcome.text, Origin.AUTO))
        except (AlreadySettled, DeskError) as error:
            _log.info("responder.late error=%s", type(error).__name__)

    def _ended(self, key: Key) -> None:
        task = self._running.pop(key)
        if not task.cancelled() and (error := task.exception()):
            _log.error("responder.failed", exc_info=error)
        self._premises.pulse.beat()
