"""The owner's desk in this process: one client, one store, the rules (CLI-2).

::

    Guard (a face) -> Office -> Asking, Answering, Reading, People -> rules, store, client
                                Reception, Deputy  <- what comes, what runs out
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from magi import __version__
from magi.client.errors import Displaced
from magi.client.model import Incoming, Kind
from magi.daemon.answering import Answering, Reply
from magi.daemon.asking import Asking
from magi.daemon.deputy import Deputy
from magi.daemon.guard import Guard
from magi.daemon.papers import Papers
from magi.daemon.people import People
from magi.daemon.port import (
    OWNER,
    AskView,
    Caller,
    Desk,
    DeskError,
    FriendView,
    Held,
    Inbox,
    InviteView,
    Item,
    Status,
)
from magi.daemon.premises import Premises
from magi.daemon.protocol import Hello
from magi.daemon.reading import Reading
from magi.daemon.reception import Reception
from magi.daemon.reports import Reports
from magi.daemon.responder import Responder
from magi.desk import consent
from magi.desk.consent import Act
from magi.wire.grammar import STATUSES

ASSISTANTS = frozenset({"mcp"})
"""Faces through which an assistant answers questions."""
_log = logging.getLogger(__name__)


class Office:
    """Implements :class:`Desk` for the owner. Faces get theirs from :meth:`attach`."""

    def __init__(self, premises: Premises, *, runs: Path, daemon: bool) -> None:
        """``runs`` is a private directory for the responder's; ``daemon``: whether this process serves others."""
        self._premises = premises
        self._client = premises.client
        self._store = premises.store
        self._daemon = daemon
        self._faces: list[Hello] = []
        self._people = People(premises)
        self._papers = Papers(premises)
        self._reports = Reports(premises)
        self._asking = Asking(premises, self._people, self._papers)
        self._answering = Answering(premises, self._people, self._reports)
        self._reading = Reading(premises, self._people, self._papers, self._reports)
        self._deputy = Deputy(
            premises, self._people, self._answering, self._reports, Responder(runs), assisted=lambda: self._assisted
        )
        self._reception = Reception(premises, self._people, self._answering, self._deputy)
        self._at_work: asyncio.Task[None] | None = None

    # --- its life ----------------------------------------------------------------------------------------------------

    async def open(self) -> "Office":
        """Begin to work; the exchange may be away."""
        await self._deputy.open()
        await self._client.start()
        self._at_work = asyncio.create_task(self._reception.run(), name="magi-reception")
        self._at_work.add_done_callback(_ended)
        return self

    async def close(self) -> None:
        """Stop in order: responders, then the client, which sends what it can within some seconds."""
        if self._at_work is not None:
            self._at_work.cancel()
            await asyncio.gather(self._at_work, return_exceptions=True)
        await self._deputy.close()
        await self._client.close()

    def attach(self, face: Hello) -> Desk:
        """Give a face its desk."""
        self._faces.append(face)
        self._premises.pulse.beat()
        return Guard.of(self, face.face, face.session)

    async def detach(self, face: Hello) -> None:
        """A face is gone. What its session had claimed is offered to others, if nobody else is there for that session."""
        self._faces.remove(face)
        if face.face in ASSISTANTS and face.session and all(one.session != face.session for one in self._faces):
            await self._store.claims.release(face.session)
        self._premises.pulse.beat()

    async def busy(self) -> bool:
        """Tell whether anything is left to do here: a face, an open ask, a responder (CLI-22)."""
        return bool(self._faces) or self._deputy.set or bool(await self._store.open_asks())

    async def changed(self, seconds: float) -> bool:
        """Wait until anything changed; ``False`` if nothing did for ``seconds``."""
        return await self._premises.pulse.after(self._premises.pulse.beats, seconds=seconds)

    @property
    def _assisted(self) -> bool:
        return any(face.face in ASSISTANTS for face in self._faces)

    # --- who we are --------------------------------------------------------------------------------------------------

    async def status(self) -> Status:
        """See the port; so for all methods below."""
        client, server = self._client, self._client.server or next(iter(self._premises.servers), "")
        command = self._premises.config().responder.command
        trouble = client.over or (None if client.server else client.trouble)
        return Status(
            username=client.username,
            nickname=client.nickname,
            profile=self._premises.profile,
            server=server,
            connection=self._connection(),
            detail="" if trouble is None else str(trouble),
            granted=tuple(sorted(client.granted)),
            missing=tuple(sorted(client.missing)),
            durable=self._store.durable,
            encrypted_transport=server.startswith("wss://"),
            paused=await self._store.ledger.paused(),
            waiting=await self._reading.waiting(),
            responder=command[0] if command else "",
            version=__version__,
            daemon=self._daemon,
        )

    def _connection(self) -> str:
        if isinstance(self._client.over, Displaced):
            return "displaced"
        if self._client.over is not None:
            return "refused"
        return "connected" if self._client.server else "connecting"

    async def announce(self, *, status: str = "", note: str = "", capabilities: tuple[str, ...] | None = None) -> None:
        if status and status not in STATUSES:
            raise DeskError(f"{status[:32]!r} is no status: {', '.join(sorted(STATUSES))}.", 2)
        if note:
            _log.debug("announce.note dropped")  # the wire has no place for it yet
        await self._client.presence(status=status or None, capabilities=capabilities)

    async def pause(self, until_ms: int) -> None:
        await self._store.ledger.pause(until_ms)
        self._premises.pulse.beat()

    async def weigh(self, method: str, given: Mapping[str, Any]) -> Act:
        """Return what it is to call ``mode``, ``pause`` or ``block`` with these arguments."""
        if method == "mode":
            return await self._people.changing(given["who"], given["mode"])
        if method == "pause":
            return consent.pausing(given["until_ms"], paused=await self._store.ledger.paused())
        return Act.BLOCK if given.get("blocked", True) else Act.UNBLOCK

    # --- friends -----------------------------------------------------------------------------------------------------

    async def invite(self, *, for_name: str = "", confirm: bool = False) -> InviteView:
        invite = await self._client.invite(for_name=for_name, confirm=confirm)
        say = f"Run this to become my friend on magi: magi connect {invite.code}"
        return InviteView(invite.code, invite.expires_at_ms, say)

    async def connect(self, code: str, *, petname: str = "") -> FriendView:
        return await self._people.connect(code, petname)

    async def friends(self) -> tuple[FriendView, ...]:
        return await self._people.all()

    async def mode(self, who: str, mode: str) -> FriendView:
        return await self._people.mode(who, mode)

    async def rename(self, who: str, petname: str) -> FriendView:
        return await self._people.rename(who, petname)

    async def unfriend(self, who: str) -> None:
        await self._people.unfriend(who)

    async def block(self, who: str, *, blocked: bool = True) -> None:
        await self._people.block(who, blocked=blocked)

    # --- asking ------------------------------------------------------------------------------------------------------

    async def ask(
        self,
        who: str,
        text: str,
        *,
        caller: Caller,
        thread: str = "",
        wants_answer: bool = True,
        expires_seconds: float = 86_400.0,
        parent: str = "",
        id: str = "",  # noqa: A002  # the word of the port
    ) -> AskView:
        return await self._asking.ask(
            who,
            text,
            caller=caller,
            thread=thread,
            wants_answer=wants_answer,
            expires_seconds=expires_seconds,
            parent=parent,
            id_=id,
        )

    async def wait(self, ask_id: str, seconds: float) -> AskView:
        return await self._asking.wait(ask_id, seconds)

    async def withdraw(self, ask_id: str) -> AskView:
        return await self._asking.withdraw(ask_id)

    # --- answering ---------------------------------------------------------------------------------------------------

    async def inbox(
        self, *, caller: Caller, limit: int = 5, wait_seconds: float = 0.0, peek: bool = False, ask_id: str = ""
    ) -> Inbox:
        return await self._reading.inbox(
            caller=caller, limit=limit, wait_seconds=wait_seconds, peek=peek, ask_id=ask_id
        )

    async def answer(self, item_id: str, text: str, *, caller: Caller) -> AskView:
        if not text.strip():
            raise DeskError("There is no answer. Nothing was sent.", 2)
        return await self._reply(item_id, Kind.ANSWER, text, caller)

    async def decline(self, item_id: str, reason: str, *, caller: Caller) -> AskView:
        return await self._reply(item_id, Kind.DECLINE, reason, caller)

    async def defer(self, item_id: str, seconds: float, *, caller: Caller) -> None:
        await self._reading.defer(await self._shown(item_id, caller), seconds)

    async def ack(self, item_id: str, *, caller: Caller) -> None:
        await self._reading.ack(await self._shown(item_id, caller))

    async def history(
        self, who: str = "", *, search: str = "", limit: int = 50, caller: Caller = OWNER
    ) -> tuple[Item | AskView, ...]:
        return await self._reading.history(who, search=search, limit=limit, caller=caller)

    async def held(self) -> tuple[Held, ...]:
        return await self._answering.held()

    async def review(
        self, held_id: str, *, approve: bool, text: str = "", override: bool = False, scope: str = "once"
    ) -> AskView | None:
        return await self._answering.review(held_id, approve=approve, text=text, override=override, scope=scope)

    async def events(self) -> AsyncIterator[Inbox]:
        said: Inbox | None = None
        while True:
            beats = self._premises.pulse.beats
            now = await self._reading.peek(limit=5)
            if now != said:
                said = now
                yield now
            await self._premises.pulse.after(beats)

    async def _reply(self, item_id: str, kind: Kind, text: str, caller: Caller) -> AskView:
        question = await self._shown(item_id, caller)
        view = await self._answering.reply(question, Reply(kind, text, consent.speaker(caller.face, caller.origin)))
        self._reports.forget(question)
        return view

    async def _shown(self, item_id: str, caller: Caller) -> Incoming:
        """Return an item that a caller may know of."""
        message = await self._papers.theirs(item_id)
        if not await self._people.shows(message.sender, consent.speaker(caller.face, caller.origin)):
            raise DeskError(f"There is nothing with the id {item_id[:64]!r}.")
        return message


def _ended(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.critical("office.failed", exc_info=error)
