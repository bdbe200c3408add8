"""A client that keeps all the rules of the wire, comes back whatever happens, and writes down everything it saw.

It stands for a process with a disk: its token, the ids it has seen and what it still has to send outlive every
connection. What has no final state is sent again under the same id (P1, P3).
"""

import asyncio
import itertools
import json
import random
from collections.abc import Coroutine, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.chaos.habits import RETRYABLE, UNCERTAIN, Habits
from tests.chaos.history import DIED, FIRST, GARBLED, LIVE, REPEAT, STORED, History, Op
from tests.chaos.link import BROKEN, OPEN_SECONDS, Frame, Letter, Link, dial
from tests.chaos.pace import pause
from tests.harness.waiting import eventually

ATTEMPT_MOST_SECONDS = 2.0
PUSHES = frozenset({"question", "answer"})
FATES = frozenset({"expired", "parked"})


class ChaosClient:
    """One user. ``start`` it, ``send`` with it, ``stop`` it."""

    def __init__(
        self, name: str, urls: Sequence[str], history: History, *, seed: int = 0, habits: Habits | None = None
    ) -> None:
        self.name = name
        self.urls = list(urls)
        self.history = history
        self.habits = habits or Habits()
        self.token = ""
        self.granted: frozenset[str] = frozenset()
        self.friends: set[str] = set()
        self.complaint = ""
        """What the exchange did that ends this client for good: a promise broken that no rule is about."""
        self.turned_away: list[str] = []
        """Why it was not let in, each time."""
        self.pending: dict[str, Letter] = {}
        self.online = asyncio.Event()
        self._random = random.Random(f"{seed}/{name}")
        self._ids = itertools.count(1)
        self._seen: set[tuple[str, str]] = set()
        self._requests: dict[str, asyncio.Future[Frame]] = {}
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._away = asyncio.Event()
        self._away.set()
        self.stopped = False

    # --- its life ----------------------------------------------------------------------------------------------------

    @property
    def plain(self) -> bool:
        return self.habits.features is None

    @property
    def node(self) -> str:
        """The address of the node that holds its session; empty if it has none."""
        return self._link.url if self._link is not None else ""

    async def start(self) -> None:
        """Connect and identify; returns when that is done."""
        self._task = asyncio.create_task(self._live(), name=self.name)
        await self.is_online()

    async def is_online(self, seconds: float = 30.0) -> None:
        """Wait until this client is identified."""
        try:
            async with asyncio.timeout(seconds):
                await self.online.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} is not online within {seconds:g} s; {self.complaint}") from None

    async def leave(self) -> None:
        """Close the connection in order and stay away until :meth:`come_back`."""
        self._away.clear()
        if self._link is not None:
            await self._link.socket.close()
        await eventually(lambda: self._link is None)

    def break_off(self) -> None:
        """Lose the connection, as a process that is killed does."""
        if self._link is not None:
            self._link.socket.transport.abort()

    def stay_away(self) -> None:
        """Lose the connection and stay away until :meth:`come_back`."""
        self._away.clear()
        self.break_off()

    def come_back(self) -> None:
        """Connect again."""
        self._away.set()

    async def stop(self) -> None:
        """End everything; what is still under way stays unknown."""
        self.stopped = True
        tasks = [task for task in (self._task, *self._late) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for waiting in (*(letter.final for letter in self.pending.values()), *self._requests.values()):
            waiting.cancel()

    async def _live(self) -> None:
        failures = 0
        last = ""
        while not self.complaint:
            await self._away.wait()
            last = self._random.choice([url for url in self.urls if url != last] or self.urls)
            opened = await self._once(last)
            if opened and not self.habits.returns:
                return
            failures = 0 if opened else failures + 1
            # Full jitter: many who lost the same node come back over some time.
            await pause(self._random.uniform(0, min(ATTEMPT_MOST_SECONDS, 0.2 * 2**failures)))

    async def _once(self, url: str) -> bool:
        """Live through one connection; tell whether it came to a session."""
        link: Link | None = None
        why = "refused"
        try:
            async with dial(url, self.habits) as socket:
                link = Link(socket, url)
                await self._converse(link)
                why = str(socket.close_code)
        except BROKEN as error:
            why = str(error.rcvd.code) if isinstance(error, ConnectionClosed) and error.rcvd else type(error).__name__
        except (AssertionError, LookupError, ValueError) as error:
            self.complaint = f"not this wire: {error!r}"
        finally:
            self.online.clear()
            self._link = None
            if link is not None and link.session:
                self._lost(link, why)
        return link is not None and bool(link.session)

    async def _converse(self, link: Link) -> None:
        async with asyncio.timeout(OPEN_SECONDS):
            reply = await link.identify(self.name, self.habits.features, self.token, self._hear)
        if reply["type"] == "error":
            self.turned_away.append(reply.get("code") or reply["message"])
            if reply.get("code") == "token_invalid":
                self.complaint = "its token is not taken"
            return
        self.token = reply.get("token", self.token)
        self.granted = frozenset(reply.get("features", ()))
        self._link = link
        self.history.note(self.name, link.session, Op.OPENED, result=link.url)
        writing = asyncio.create_task(link.write())
        try:
            for letter in self.pending.values():
                letter.due = True
            self._flush()
            self.online.set()
            if not self.habits.reads:
                await link.socket.wait_closed()
                return
            async for message in link.socket:
                self._hear(link, json.loads(message))
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    def _lost(self, link: Link, why: str) -> None:
        for id_ in link.waiting:
            letter = self.pending.get(id_)
            if letter is not None:
                self._note(link, Op.UNKNOWN, letter, result=why)
                if self.plain:  # it cannot repeat without an id
                    self._settle(letter, "unknown")
            elif id_ in self._requests:
                self._requests.pop(id_).set_exception(ConnectionResetError(why))
        self.history.note(self.name, link.session, Op.CLOSED, result=why)

    # --- what it says ------------------------------------------------------------------------------------------------

    def send(
        self, to: str, *, type_: str = "ask", reply_to: str = "", mark: str = "", pad: int = 0, expires_ms: int = 0
    ) -> Letter:
        """Send a message, and go on until it has a final state.

        Args:
            to: Whom it is for.
            type_: ``ask`` or ``answer``.
            reply_to: The id of the question that is answered.
            mark: A word that :attr:`Habits.dies_on` may name.
            pad: How many bytes longer it is to be.
            expires_ms: When it expires, in ms since the epoch; 0: when all mail does.
        """
        id_ = f"{self.name}.{next(self._ids)}"
        text = f"{self.name}>{to}#{id_}{mark and '!' + mark}" + "." * pad
        final: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return self._enter(Letter(id_, to, type_, text, reply_to, final, expires_ms))

    def again(self, letter: Letter) -> Letter:
        """Send a message once more that has a final state, as a client does that lost its notes."""
        final: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return self._enter(Letter(letter.id, letter.to, letter.type, letter.text, letter.reply_to, final))

    def _enter(self, letter: Letter) -> Letter:
        self.pending[letter.id] = letter
        self._flush()
        return letter

    async def ask(self, type_: str, **fields: Any) -> Frame:
        """Make any other request and return its reply, also a refusal.

        Raises:
            OSError: The connection broke before there was one.
        """
        await self.is_online()
        assert self._link is not None
        id_ = f"{self.name}-{type_}-{next(self._ids)}"
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._requests[id_] = reply
        self._link.say({"type": type_, **fields} if self.plain else {"type": type_, "id": id_, **fields}, id_)
        async with asyncio.timeout(OPEN_SECONDS * 2):
            return await reply

    async def befriend(self, other: "ChaosClient") -> None:
        """Become friends: this one invites."""
        invitation = await self.ask("create_invite")
        assert "code" in invitation, invitation
        reply = await other.ask("connect", code=invitation["code"])
        assert reply["type"] == "connected_to_friend", reply
        other.friends.add(self.name)
        other.history.note(other.name, "", Op.NOTICE, sender=self.name, result="friend_connected")
        await eventually(lambda: other.name in self.friends)

    def _flush(self) -> None:
        link = self._link
        if link is None:
            return
        for letter in self.pending.values():
            if letter.due:
                letter.due = False
                letter.attempts += 1
                self._note(link, Op.INVOKE, letter, result=letter.type)
                link.say(letter.frame(plain=self.plain), letter.id)

    # --- what it hears -----------------------------------------------------------------------------------------------

    def _hear(self, link: Link, frame: Frame) -> None:
        type_ = frame["type"]
        if link.dying:
            return
        if type_ in PUSHES:
            self._receive(link, frame)
        elif type_ in FATES:
            self._told(link, frame)
        elif type_.startswith("friend_"):
            self._friend(link, frame)
        elif type_ == "gap":
            self.history.note(self.name, link.session, Op.GAP, detail=str(frame["since"]))
        elif type_ == "draining":
            self._later(self._move(link, frame["afterMs"] / 1000, frame["untilMs"] / 1000))
        else:
            self._reply(link, frame)

    def _receive(self, link: Link, frame: Frame) -> None:
        sender, offset = frame["from"], frame.get("offset", "")
        head = str(frame["content"]).rstrip(".")
        id_ = head.partition("#")[2].partition("!")[0]
        whole = head.startswith(f"{sender}>{self.name}#") and frame.get("id", id_) == id_
        key = (sender, id_)
        dies = bool(self.habits.dies_on) and head.endswith(f"!{self.habits.dies_on}")
        result = GARBLED if not whole else DIED if dies else REPEAT if key in self._seen else FIRST
        what = {"id": id_, "sender": sender, "recipient": self.name, "result": result, "detail": offset}
        self.history.note(self.name, link.session, Op.RECV, tier=STORED if offset else LIVE, **what)
        if dies:
            link.dying = True
            self._later(self._die(link))
            return
        self._seen.add(key)
        self._take(link, offset)
        if self.habits.answers and result == FIRST and frame["type"] == "question":
            self.send(sender, type_="answer", reply_to=id_)

    def _told(self, link: Link, frame: Frame) -> None:
        what = {"id": frame["id"], "recipient": frame["to"], "result": frame["type"], "detail": frame["offset"]}
        self.history.note(self.name, link.session, Op.NOTICE, sender=self.name, **what)
        self._take(link, frame["offset"])

    def _friend(self, link: Link, frame: Frame) -> None:
        name, type_ = frame["friend"]["username"], frame["type"]
        if type_ == "friend_presence":
            type_ = "friend_online" if frame["online"] else "friend_offline"
        if type_ == "friend_connected":
            self.friends.add(name)
        self.history.note(self.name, link.session, Op.NOTICE, sender=name, result=type_)

    def _reply(self, link: Link, frame: Frame) -> None:
        id_ = link.answered(frame)
        if id_ is None:
            raise ValueError(f"a reply to nothing: {frame}")
        if id_ in self._requests:
            self._requests.pop(id_).set_result(frame)
            return
        letter = self.pending.get(id_)
        if letter is None:
            return
        if frame["type"] == "error":
            self._refused(link, letter, frame)
        else:
            status = frame.get("status", "")
            self._note(link, Op.OK, letter, tier=STORED if status else LIVE, result=status)
            self._settle(letter, "ok")

    def _refused(self, link: Link, letter: Letter, frame: Frame) -> None:
        transient = "temporarily unavailable" in frame["message"]
        code = frame.get("code") or ("unavailable" if transient else frame["message"])
        self._note(link, Op.UNKNOWN if code in UNCERTAIN else Op.FAIL, letter, result=code)
        if self.plain or code not in RETRYABLE:
            self._settle(letter, code)
            return
        shortest = frame.get("retryAfterMs", 0) / 1000
        self._later(self._repeat(letter, shortest + self._random.uniform(0.1, 0.5)))

    # --- what it does later ------------------------------------------------------------------------------------------

    async def _die(self, link: Link) -> None:
        self._ack(link)  # what came before is safe, and known to be
        await pause(0.02)
        link.socket.transport.abort()

    async def _repeat(self, letter: Letter, seconds: float) -> None:
        await pause(seconds)
        letter.due = True
        self._flush()

    async def _move(self, link: Link, after_seconds: float, until_seconds: float) -> None:
        await pause(self._random.uniform(after_seconds, max(after_seconds, until_seconds)))
        if self._link is link:
            # The next connection goes to another node (``_live``) and takes the session over.
            await link.socket.close()

    def _take(self, link: Link, offset: str) -> None:
        """Note that mail is safe, and acknowledge it now or a little later."""
        if not offset:
            return
        link.unacked = offset
        link.unacked_count += 1
        if link.unacked_count >= self.habits.ack_every:
            self._ack(link)
        elif link.unacked_count == 1:
            self._later(self._ack_late(link))

    async def _ack_late(self, link: Link) -> None:
        await pause(self.habits.ack_late_seconds)
        self._ack(link)

    def _ack(self, link: Link) -> None:
        if link.unacked_count:
            link.unacked_count = 0
            self.history.note(self.name, link.session, Op.ACK, detail=link.unacked)
            link.say({"type": "ack", "upTo": link.unacked})

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _settle(self, letter: Letter, state: str) -> None:
        self.pending.pop(letter.id, None)
        if not letter.final.done():
            letter.final.set_result(state)

    def _note(self, link: Link, op: Op, letter: Letter, **what: str) -> None:
        self.history.note(self.name, link.session, op, id=letter.id, sender=self.name, recipient=letter.to, **what)
