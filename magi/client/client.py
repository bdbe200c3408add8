"""The client: one identity on one socket, which comes back by itself (CLI-3).

::

    servers -> Connection -> Line --pushes--> Intake -> Store -> Inbox -> whoever reads
                              ^---requests--- Outbox <- Store <- ask, note, answer

One task keeps the line up; one takes in what comes; one ends asks whose time has come; one per friend sends.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, Self

from msgspec import UNSET

from magi.client import addresses
from magi.client.asks import Ask
from magi.client.circle import Circle
from magi.client.connection import Connection, OpenLine
from magi.client.deadlines import Deadlines
from magi.client.errors import MagiError, NotConnected
from magi.client.inbox import Inbox, Item, Question, Receipt
from magi.client.intake import Feed, Intake, state_of
from magi.client.line import FEATURES, Identity, Line
from magi.client.memory import MemoryStore
from magi.client.model import Event, Friend, Incoming, Invite, Kind, Origin, Outgoing, Trace
from magi.client.news import News
from magi.client.outbox import Outbox, new_id
from magi.client.ports import Store
from magi.client.records import Records
from magi.client.resume import Course
from magi.client.states import State
from magi.wire import magi1_frames as frames
from magi.wire import magi1_requests as requests

OPEN_SECONDS = 30.0
FLUSH_SECONDS = 5.0


class Client:
    """One user at one exchange.

    Use it as an async context manager, or :meth:`open` and :meth:`close` it. All methods may be cancelled: a wait that is
    cut off changes nothing, a request that is cut off may have happened. What ends the client for good (``Displaced``,
    ``NameTaken``, ``TokenRefused``, an error of the store) is raised by every call that waits, then and later.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        username: str,
        *,
        nickname: str = "",
        features: Sequence[str] | None = None,
        token: str = "",
        store: Store | None = None,
        open_line: OpenLine = Line.open,
    ) -> None:
        """Nothing happens before :meth:`open`.

        Args:
            servers: Addresses of one exchange, tried in turn from a random one on.
            username: Our name there.
            nickname: What friends see; the username if empty.
            features: What to ask the exchange for; everything this client understands if ``None``, nothing if empty.
            token: A resume token from elsewhere, for a store that has none.
            store: Where messages are kept; in memory only if ``None``.
            open_line: How a line comes about; for tests.

        Raises:
            ProfileError: An address is none.
        """
        self.username = username
        self.nickname = nickname or username
        self.store = MemoryStore() if store is None else store
        identity = Identity(username, self.nickname, FEATURES if features is None else tuple(features))
        self._wanted = frozenset(identity.features)
        self._token = token
        self._said: requests.Presence | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._records = Records(self.store)
        self._news = News(self._records.bells)
        self._circle = Circle(self.store, self._news.tell)
        course = Course(addresses.listed(servers), random=random.Random())  # noqa: S311  # jitter
        self._connection = Connection(
            self._records,
            course,
            identity,
            open_line=open_line,
            settle_in=self._settle_in,
            attach=self._attach,
            tell=self._news.tell,
        )
        self._outbox = Outbox(self._records, self._circle, self._connection.next_line, self._fail)
        self._intake = Intake(self._records, self._circle, self._outbox, self._about_the_line)
        self._inbox = Inbox(self._records, self._outbox)
        self._deadlines = Deadlines(self._records)

    # --- its life ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, *, wait_seconds: float | None = OPEN_SECONDS) -> Self:
        """Connect and identify. The token for the next time is safe in the store when this returns.

        Raises:
            NotConnected: The exchange is out of reach, for ``wait_seconds``.
            NameTaken: Somebody else has the name.
            TokenRefused: The exchange does not take our token.
        """
        try:
            await self.start()
            await self.connected(wait_seconds=wait_seconds)
        except BaseException:
            await self.close(flush_seconds=0)
            raise
        return self

    async def start(self) -> None:
        """Begin, and return at once: the exchange may be away for long. A second call does nothing."""
        if self._tasks:
            return
        if self._token and not (await self.store.tokens()).current:
            await self.store.keep_token(self._token)
        await self._circle.load()
        await self._outbox.flush()
        for work in (self._connection.run(), self._intake.run(), self._deadlines.run()):
            self._tasks.append(asyncio.create_task(self._to_the_end(work), name="magi-client"))

    async def connected(self, *, wait_seconds: float | None = None) -> None:
        """Wait until there is a line.

        Raises:
            NotConnected: Not within ``wait_seconds``.
        """
        try:
            async with asyncio.timeout(wait_seconds):
                await self._connection.next_line()
        except TimeoutError:
            raise self._connection.trouble or NotConnected() from None

    async def close(self, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        """Send what can be sent within ``flush_seconds``, then leave in order. What is unsent stays in the store."""
        if self._connection.line is not None and self._records.bells.over is None:
            await self._outbox.finish(flush_seconds)
        self._records.bells.end(NotConnected("This client was closed."))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._outbox.close(), return_exceptions=True)
        await self._connection.close()

    # --- what it is --------------------------------------------------------------------------------------------------

    @property
    def granted(self) -> frozenset[str]:
        """The features that the exchange granted on the present line; none without one."""
        return frozenset() if self._connection.line is None else self._connection.line.granted

    @property
    def missing(self) -> frozenset[str]:
        """The features that we asked for and were not granted; none without a line."""
        return frozenset() if self._connection.line is None else self._wanted - self.granted

    @property
    def server(self) -> str:
        """The address of the present line; empty without one."""
        return "" if self._connection.line is None else self._connection.line.server

    @property
    def over(self) -> Exception | None:
        """What ended this client for good."""
        return self._records.bells.over

    @property
    def trouble(self) -> MagiError | None:
        """Why the last attempt to connect failed; ``None`` once one did not."""
        return self._connection.trouble

    async def friends(self) -> list[Friend]:
        """Return all friends as last heard of, oldest first."""
        return self._circle.all()

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield what happens from now on (``magi.client.model.KINDS``). Of more than 1,000 unread ones the newest are kept."""
        return self._news.listen()

    # --- messages ----------------------------------------------------------------------------------------------------

    async def ask(
        self,
        to: str,
        text: str,
        *,
        id: str = "",  # noqa: A002  # the word of the wire
        thread: str = "",
        reply_wanted: bool = True,
        expires_seconds: float = 86_400.0,
        parent: str = "",
        origin: Origin = Origin.HUMAN,
        trace: Trace | None = None,
    ) -> Ask:
        """Ask a friend; returns when the question is safe in the outbox. The same ``id`` again returns the same ask.

        Args:
            to: A username, or what the exchange takes for one: a nickname, the part before the ``@``, ``anyone``.
            text: The question.
            id: Of 1 to 64 visible characters; a random one if empty.
            thread: What it belongs to, if anything.
            reply_wanted: ``False`` makes it a note.
            expires_seconds: How long anybody should look at it.
            parent: The id of the question that this one came from.
            origin: Who wrote it.
            trace: The machine turns that led to it.

        Raises:
            TooLarge: No frame could hold it.
        """
        now_ms = self._records.now_ms()
        message = Outgoing(
            id=id or new_id(),
            to=self._circle.resolve(to),
            kind=Kind.ASK if reply_wanted else Kind.NOTE,
            text=text,
            made_ms=now_ms,
            expires_ms=now_ms + round(expires_seconds * 1000),
            thread=thread,
            parent=parent,
            origin=origin,
            trace=trace or Trace(),
        )
        return await self.send(message)

    async def note(self, to: str, text: str, *, id: str = "", thread: str = "") -> Ask:  # noqa: A002  # as above
        """Tell a friend something that wants no answer. A plain friend sees a question."""
        return await self.ask(to, text, id=id, thread=thread, reply_wanted=False)

    async def answer(
        self, to: Incoming, text: str, *, declined: bool = False, origin: Origin = Origin.HUMAN
    ) -> Receipt:
        """Answer or decline a question of which only the message is at hand; as ``Question.answer``.

        Raises:
            AlreadySettled: It was settled before. Nothing was sent.
            TooLarge: No frame could hold the text.
        """
        return await self._inbox.reply(to, Kind.DECLINE if declined else Kind.ANSWER, text, origin=origin)

    async def send(self, message: Outgoing) -> Ask:
        """Put any message into the outbox as it is. ``to`` must be a username. Raises as :meth:`answer` does."""
        if await self._outbox.put(message):
            self._deadlines.watch(message)
        return Ask(await self.store.out(message.id) or message, self._records)

    async def flush(self) -> None:
        """Send what others have put into the store as ``pending``."""
        await self._outbox.flush()
        for ask in await self.store.open_asks():
            self._deadlines.watch(ask)

    async def find(self, id_: str) -> Ask | None:
        """Return a message of ours, also of an earlier process."""
        return None if (message := await self.store.out(id_)) is None else Ask(message, self._records)

    async def report(self, to: Incoming, state: State) -> bool:
        """Tell a friend that its ask is ``held``, ``seen`` or ``stalled`` here; ``False`` if its client cannot read that."""
        friend = self._circle.get(to.sender)
        if friend is None or not friend.takes_objects or "objects" not in self.granted:
            return False
        return await self._outbox.put(state_of(to, state, self._records.now_ms()))

    def inbox(self, kinds: Sequence[Kind] = ()) -> AsyncGenerator[Item, None]:
        """Yield what is open, oldest first, and what comes: each once in this process, again in the next if not settled."""
        return self._inbox.items(kinds)

    def questions(self) -> AsyncGenerator[Question, None]:
        """Yield friends' questions, as :meth:`inbox` does."""
        return self._inbox.questions()

    # --- friends -----------------------------------------------------------------------------------------------------

    async def invite(self, *, for_name: str = "", confirm: bool = False) -> Invite:
        """Open an invitation: for one username only, or such that we must :meth:`confirm` who redeems it (extended servers).

        Raises:
            NotConnected, OutcomeUnknown, Unavailable, RateLimited: As they say.
        """
        reply = await self._connection.request(requests.CreateInvite(for_=for_name or None, confirm=confirm or None))
        assert isinstance(reply, frames.InviteCreated)
        return Invite(reply.code, _expiry_ms(reply, self._records.now_ms()))

    async def connect(self, code: str) -> Friend:
        """Redeem a code, in any letter case.

        Raises:
            InviteRefused: It is not good, or not for us, or has to be confirmed first.
            NotConnected, OutcomeUnknown, Unavailable, RateLimited, FriendAway: As they say.
        """
        reply = await self._connection.request(requests.Connect(code=code))
        assert isinstance(reply, frames.ConnectedToFriend)
        self._intake.shunned.discard(reply.friend.username)
        return await self._circle.joined(reply)

    async def confirm(self, code: str, username: str) -> None:
        """Let this user redeem an invitation that was made with ``confirm``."""
        await self._connection.request(requests.Confirm(code=code, username=username))

    async def unfriend(self, username: str) -> bool:
        """End a friendship; ``False`` if the exchange cannot: then its messages are thrown away here, by this process."""
        return await self._part(requests.Unfriend(username=username))

    async def block(self, username: str) -> bool:
        """Have nothing to do with a user any more; ``False`` as :meth:`unfriend`."""
        return await self._part(requests.Block(username=username))

    async def unblock(self, username: str) -> bool:
        """Allow friendships with a user again; ``False`` as :meth:`unfriend`."""
        self._intake.shunned.discard(username)
        if not await self._can("persist"):
            return False
        await self._connection.request(requests.Unblock(username=username))
        return True

    async def presence(self, *, status: str | None = None, capabilities: Sequence[str] | None = None) -> bool:
        """Say what we are doing and can do, now and on every later line; ``None`` leaves it as it is.

        ``False`` if the exchange does not tell anybody.
        """
        said = self._said or requests.Presence()
        capable = said.capabilities if capabilities is None else list(capabilities)
        self._said = requests.Presence(said.status if status is None else status, capable)
        if not await self._can("presence"):
            return False
        await self._connection.request(self._said)
        return True

    # --- parts -------------------------------------------------------------------------------------------------------

    async def _can(self, feature: str) -> bool:
        return feature in (await self._connection.line_soon()).granted

    async def _part(self, request: requests.Unfriend | requests.Block) -> bool:
        can = await self._can("persist")
        if can:
            await self._connection.request(request)
        else:
            self._intake.shunned.add(request.username)
        await self._circle.drop(request.username)
        return can

    async def _settle_in(self, line: Line) -> None:
        """On a new line: hear who our friends are, and say what we are doing."""
        try:
            if "persist" in line.granted:
                reply = await line.request(requests.Friends(id=new_id()))
                assert isinstance(reply, frames.FriendsListed)
                await self._circle.listed(reply.friends)
            if self._said is not None and "presence" in line.granted:
                said = self._said
                await line.request(requests.Presence(said.status, said.capabilities, id=new_id()))
        except MagiError as error:
            self._news.tell(Event("disconnected", detail=str(error)))

    def _attach(self, feed: Feed, line: Line) -> None:
        feed.attach(line, self._intake.queue)

    async def _about_the_line(self, frame: frames.Gap | frames.Draining, line: Line) -> None:
        if isinstance(frame, frames.Draining):
            self._connection.drain(frame, line)
        else:
            self._news.tell(Event("gap", detail=str(frame.since)))
            await self._outbox.after_gap(frame.since)

    async def _to_the_end(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody may wait for this client any more
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the client: every wait raises this, and the exchange gives us nothing more."""
        self._records.bells.end(error)
        for task in (task for task in self._tasks if task is not asyncio.current_task()):
            task.cancel()
        self._tasks.append(asyncio.create_task(self._connection.close()))


def _expiry_ms(invite: frames.InviteCreated, now_ms: int) -> int:
    """Return when a code expires; a plain exchange says it for people: ``30 minutes``."""
    if invite.expiresAt is not UNSET:
        return invite.expiresAt
    minutes = invite.expiresIn.partition(" ")[0]
    return now_ms + 60_000 * int(minutes) if minutes.isdecimal() else 0
