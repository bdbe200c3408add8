"""One conversation: requests in, one reply each, in order (MAGI-8, MAGI-9), and events between them.

A request whose outcome is on its way has a turn in ``_turns``; a turn's messages leave when it is settled and all before
it have left. Some requests make the next ones wait (they change who the session is, or must ask the store): then messages
queue in ``_queue``, and past a bound the socket stops reading.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from exchange.core.commands import Ack, Acked, Command, Reply
from exchange.core.errors import ExchangeError, TooLarge, Unavailable
from exchange.core.events import Event, Greeted
from exchange.core.ids import NOWHERE
from exchange.core.session import Session, State
from exchange.front import Dialect, Ending, Socket, SocketRules
from exchange.handlers.exchange import Exchange
from exchange.node.roster import Roster

log = structlog.get_logger()

Refused = Callable[[Session, Command[Any] | None, ExchangeError], None]
"""Is told of every request that was refused; the command is ``None`` if it was not understood."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait for earlier replies before the socket stops reading (DEL-39)."""

    pending_count: int = 32
    pending_bytes: int = 2 * 1024 * 1024


BOUNDS = Bounds()

_OVERSIZED = b"oversized"
"""Stands in the queue for a message that was dropped for its size; known by identity, so no message can be it."""


class Connection:
    """The conversation on one socket (``front.Conversation``), and where its events go (``front.Teller``)."""

    __slots__ = (
        "_bounds",
        "_dialect",
        "_draining",
        "_exchange",
        "_held",
        "_left",
        "_member_rules",
        "_parting",
        "_paused",
        "_queue",
        "_queued_bytes",
        "_refused",
        "_roster",
        "_socket",
        "_turns",
        "session",
    )

    def __init__(
        self,
        session: Session,
        dialect: Dialect,
        exchange: Exchange,
        roster: Roster,
        refused: Refused,
        bounds: Bounds = BOUNDS,
        member_rules: SocketRules | None = None,
    ) -> None:
        """Talk on one socket.

        Args:
            session: Who talks.
            dialect: How.
            exchange: What the requests are for.
            roster: Is told of everything that is counted.
            refused: Is told of refusals.
            bounds: How much may wait.
            member_rules: What is demanded of the socket once the session has said who it is, if that is something else.
                Before, messages are taken one at a time.
        """
        self.session = session
        self._dialect = dialect
        self._exchange = exchange
        self._roster = roster
        self._refused = refused
        self._bounds = bounds
        self._member_rules = member_rules
        self._socket: Socket | None = None
        self._turns: deque[Turn] = deque()
        self._held: Turn | None = None
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._paused = False
        self._draining = False
        self._parting = False
        self._left: Awaitable[None] | None = None

    # --- the transport's side ----------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        """Greet (MAGI-6)."""
        self._socket = socket
        self._roster.enter(self)
        self.tell(Greeted(self.session.client))

    def received(self, message: bytes) -> None:
        """Take one message: work on it now, or after those that came before it."""
        if self._parting or (self._held is None and not self._queue and len(self._turns) < self._bounds.pending_count):
            self._begin(message)
            return
        self._queue.append(message)
        self._queued_bytes += len(message)
        full = len(self._queue) >= self._bounds.pending_count or self._queued_bytes > self._bounds.pending_bytes
        if full:
            self._pause()

    def oversized(self) -> None:
        """Answer a message that was dropped for its size, in its turn (MAGI-4)."""
        self.received(_OVERSIZED)

    def ended(self, ending: Ending) -> None:
        """Forget everything that was still to come and end the session."""
        self._socket = None
        self._queue.clear()
        self._queued_bytes = 0
        self._roster.exit(self, ending)
        self.leave()

    # --- the exchange's side -----------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Send an event, if this wire has words for it."""
        if self._socket is not None and type(event) in self._dialect.tells:
            message = self._dialect.tell(self.session, event)
            if message is not None:
                self._roster.counts.frames_out += 1
                self._socket.send(message)

    def close(self, ending: Ending, *, discard: bool = False) -> None:
        """Close the socket, in the words of its wire: after what was sent, or with ``discard`` at once."""
        if self._socket is not None:
            self._socket.close(*self._dialect.closes[ending], ending, discard=discard)

    def leave(self) -> Awaitable[None]:
        """End the session, once, while the socket may still stand; done when the store knows it all."""
        if self._left is None:
            self._left = self._exchange.leave(self.session)
        return self._left

    @property
    def open(self) -> bool:
        """Whether the socket is still there."""
        return self._socket is not None

    @property
    def buffered_bytes(self) -> int:
        """Output that the kernel has not taken yet."""
        return self._socket.buffered_bytes if self._socket is not None else 0

    @property
    def busy(self) -> bool:
        """Whether a request still waits for its reply."""
        return bool(self._turns or self._queue)

    def refuse_waiting(self) -> None:
        """Begin no more requests: each one that waits or is still to come gets the transient refusal (MAGI-54)."""
        self._parting = True
        self._queued_bytes = 0
        while self._queue:
            self._begin(self._queue.popleft())

    # --- one request -------------------------------------------------------------------------------------------------

    def _begin(self, message: bytes) -> None:
        turn = Turn(self)
        self._turns.append(turn)
        roster = self._roster
        try:
            if message is _OVERSIZED:
                raise TooLarge
            turn.command = command = self._dialect.ask(message)
            roster.heard(message)
            if self._parting:
                self._part(command, turn)
            elif not self._exchange.handle(self.session, command, turn):
                self._held = turn
                if self._member_rules is not None:
                    self._pause()  # what follows is judged by other rules, if this succeeds
        except ExchangeError as error:
            if turn.command is None:
                roster.misheard(message, error)
            turn.settle(error)
        except Exception:
            log.exception("request.failed", client=self.session.client)
            turn.settle(Unavailable())

    def _pause(self) -> None:
        if not self._paused and self._socket is not None:
            self._paused = True
            self._socket.pause()

    def _part(self, command: Command[Any], turn: "Turn") -> None:
        if type(command) is not Ack:
            raise Unavailable
        if self.session.user is not None:
            self._exchange.hub.ack(self.session.user, command.upto or NOWHERE)
        turn.settle(Acked())

    def _go_on(self) -> None:
        if self._draining:
            return  # a request that was settled at once: the loop below is already at work
        self._draining = True
        while self._queue and self._held is None and len(self._turns) < self._bounds.pending_count:
            message = self._queue.popleft()
            self._queued_bytes -= len(message)
            self._begin(message)
        self._draining = False
        low = (
            len(self._queue) < self._bounds.pending_count // 2 and self._queued_bytes <= self._bounds.pending_bytes // 2
        )
        if self._paused and low and self._socket is not None:
            self._paused = False
            self._socket.resume()

    def settled(self, turn: "Turn", outcome: Reply | ExchangeError) -> None:
        """Put a reply into its place and send what is ready."""
        session, command = self.session, turn.command
        ending = None
        if isinstance(outcome, ExchangeError):
            self._refused(session, command, outcome)
            message = self._dialect.refuse(session, command, outcome)
            turn.messages = () if message is None else (message,)
            ending = self._dialect.parts(session, outcome)
        else:
            assert command is not None
            turn.messages = self._dialect.answer(session, command, outcome)
            if self._member_rules is not None:
                self._admit(self._member_rules)
        turns, socket, counts = self._turns, self._socket, self._roster.counts
        while turns and turns[0].messages is not None:
            for message in turns.popleft().messages or ():
                if socket is not None:
                    counts.frames_out += 1
                    socket.send(message)
        if ending is not None:
            self._queue.clear()
            self._queued_bytes = 0
            self.close(ending)
        elif self._queue and self._held is None:
            self._go_on()

    def _admit(self, member_rules: SocketRules) -> None:
        """Demand of the socket what is demanded of those who have said who they are, if this one has."""
        if self.session.state is State.IDENTIFIED:
            self._member_rules = None
            if self._socket is not None:
                self._socket.adopt(member_rules)

    def proceed(self, turn: "Turn") -> None:
        """Let the next request begin, if it waited for this one."""
        if self._held is turn:
            self._held = None
            self._go_on()

    def hold(self, turn: "Turn") -> bool:
        """Make later requests wait for this one, unless one of them has begun."""
        if self._held is not None or len(self._turns) > 1:
            return False
        self._held = turn
        return True


class Turn:
    """The place of one reply among the replies of its connection (``front.Settle``)."""

    __slots__ = ("_connection", "command", "messages")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.command: Command[Any] | None = None
        self.messages: Sequence[bytes] | None = None

    def settle(self, outcome: Reply | ExchangeError) -> None:
        self._connection.settled(self, outcome)

    def proceed(self) -> None:
        self._connection.proceed(self)

    def hold(self) -> bool:
        return self._connection.hold(self)
