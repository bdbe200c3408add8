"""The way out: what is in the store and has no receipt is sent, in order per friend, one at a time (CLI-7, CLI-8).

Each friend with something unsent has a task that works off a queue; friends do not wait for each other. A message stays at
the head of its queue until something is known of it, and is repeated under its id where that can do no harm.
"""

import asyncio
import base64
import contextlib
import logging
import os
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec import Raw

from magi.client.bells import IDLE
from magi.client.circle import Circle
from magi.client.errors import MagiError, NotConnected, RateLimited, Refused, TooLarge, Unavailable
from magi.client.line import Line
from magi.client.model import Kind, Outgoing
from magi.client.records import Records
from magi.client.states import State
from magi.wire import content, magi1_requests
from magi.wire.content import Content
from magi.wire.magi1_frames import AnswerSent, QuestionSent

PLAIN_REPEAT_MS = 9 * 60 * 1000
"""The exchange remembers ids for 10 min; a plain friend cannot tell a repeat from a new message."""
FIRST_DELAY_SECONDS = 0.5
MOST_DELAY_SECONDS = 30.0
RECENT_COUNT = 1_000
GAP_MARGIN_MS = 60_000
"""Clocks differ, and what was accepted shortly before a gap may be lost as well."""
QUESTIONS = frozenset({Kind.ASK, Kind.NOTE})
UNREAD = frozenset({State.QUEUED, State.DELIVERED})
"""What the exchange may have lost: the friend's client has said nothing of it."""

NextLine = Callable[[Line | None], Awaitable[Line]]
"""Waits for a line; not the given one, which is dead."""

_log = logging.getLogger(__name__)


def new_id() -> str:
    """Return a name for a message: 128 random bits (CLI-7)."""
    return base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()


@dataclass(slots=True)
class Sending:
    """A message on its way. ``body`` is what was sent first: an id stands for one content."""

    message: Outgoing
    again: bool = False
    """After a gap: it has a receipt, which may be worth nothing."""
    body: bytes = b""
    first_ms: int = 0
    tries_count: int = 0
    """How often it was sent without learning what became of it, the first time at ``first_ms``."""
    delays_count: int = 0
    """How often the exchange said: later."""


class Outbox:
    """Sends what is unsent. Errors of the store end up in ``failed``; those of the exchange become states."""

    def __init__(
        self, records: Records, circle: Circle, next_line: NextLine, failed: Callable[[Exception], None]
    ) -> None:
        self._records = records
        self._circle = circle
        self._next_line = next_line
        self._failed = failed
        self._queues: dict[str, deque[Sending]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._entered: set[str] = set()
        self._tried: set[str] = set()
        self._recent: deque[tuple[int, str]] = deque(maxlen=RECENT_COUNT)

    def tried(self, id_: str) -> bool:
        """Tell whether a message without a receipt may be with the exchange already."""
        return id_ in self._tried

    async def put(self, message: Outgoing) -> bool:
        """Put a message into the store and send it from there; ``False`` if its id is known. Safe once this returns.

        Raises:
            AlreadySettled: The question that it names was settled before.
            TooLarge: No frame could hold it.
        """
        try:
            content.encode_object(_content(message))
        except content.TooLong as error:
            raise TooLarge(str(error)) from None
        added = await self._records.put_out(message)
        if added and message.state is State.PENDING:
            self._enter(Sending(message))
        return added

    async def flush(self) -> None:
        """Send whatever the store has unsent, also what was put there by others."""
        for message in await self._records.store.unsent():
            self._enter(Sending(message))

    async def after_gap(self, since_ms: int) -> None:
        """Send again what the exchange may have lost: it forgot what it took since then."""
        for ask in await self._records.store.open_asks():
            if ask.state in UNREAD:
                self._enter(Sending(ask, again=True))
        for at_ms, id_ in list(self._recent):
            message = await self._records.store.out(id_)
            if at_ms >= since_ms - GAP_MARGIN_MS and message is not None and message.state in UNREAD:
                self._enter(Sending(message, again=True))

    async def finish(self, seconds: float) -> None:
        """Wait until nothing is on its way, for so long at most."""
        with contextlib.suppress(TimeoutError), self._records.bells.at(IDLE) as bell:
            async with asyncio.timeout(seconds):
                while self._queues and self._records.bells.over is None:
                    await bell.next()

    async def close(self) -> None:
        """Stop sending; what has no receipt stays unsent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- per friend --------------------------------------------------------------------------------------------------

    def _enter(self, sending: Sending) -> None:
        to, id_ = sending.message.to, sending.message.id
        if id_ in self._entered:
            return
        self._entered.add(id_)
        if (queue := self._queues.get(to)) is not None:
            queue.append(sending)
            return
        self._queues[to] = deque([sending])
        task = asyncio.create_task(self._work(to), name="magi-outbox")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, to: str) -> None:
        queue = self._queues[to]
        try:
            while queue:
                await self._deliver(queue[0])
                id_ = queue.popleft().message.id
                self._entered.discard(id_)
                self._tried.discard(id_)
        except Exception as error:  # noqa: BLE001  # whatever the store raised, the client cannot go on without it
            self._failed(error)
        finally:
            del self._queues[to]
            self._records.bells.ring(IDLE)

    async def _deliver(self, sending: Sending) -> None:
        """Go on until something is known of the message, or it need not be sent any more."""
        message, dead = sending.message, None
        while await self._wanted(sending):
            try:
                async with asyncio.timeout(self._left_seconds(message)):
                    line = await self._next_line(dead)
            except TimeoutError:
                continue
            dead = None
            if sending.tries_count and not self._may_repeat(sending, line):
                await self._records.advance(message.id, State.UNKNOWN)
                return
            try:
                if await self._attempt(sending, line):
                    return
            except NotConnected:
                dead = line

    async def _wanted(self, sending: Sending) -> bool:
        message = await self._records.store.out(sending.message.id)
        if message is None or not (message.state in UNREAD if sending.again else message.state is State.PENDING):
            return False
        if self._left_seconds(message) > 0:
            return True
        await self._records.advance(message.id, State.EXPIRED)
        return False

    def _left_seconds(self, message: Outgoing) -> float:
        return (message.expires_ms - self._records.now_ms()) / 1000

    def _may_repeat(self, sending: Sending, line: Line) -> bool:
        """Tell whether a message may be sent again of which it is not known whether it arrived (CLI-7)."""
        if "ids" not in line.granted:
            return False
        friend = self._circle.get(sending.message.to)
        if friend is not None and "ids" in friend.features:
            return True
        return self._records.now_ms() - sending.first_ms < PLAIN_REPEAT_MS

    # --- one attempt -------------------------------------------------------------------------------------------------

    async def _attempt(self, sending: Sending, line: Line) -> bool:
        """Send once; tell whether that settled it. What is unclear counts as a try, after which a repeat may be unsafe.

        Raises:
            NotConnected: Nothing was sent: this line is dead.
        """
        id_ = sending.message.id
        try:
            frame = self._frame(sending, line)
        except ValueError as error:
            return await self._end(id_, State.FAILED, str(error))
        first = id_ not in self._tried
        self._tried.add(id_)
        try:
            reply = await line.request(frame)
        except (NotConnected, Unavailable, RateLimited) as error:
            if first:
                self._tried.discard(id_)
            if isinstance(error, NotConnected):
                raise
            await self._pause(sending, error.retry_after_ms)
            return False
        except Refused as error:
            return await self._refused(id_, error)
        except MagiError as error:  # no reply, or one that is none
            _log.debug("no receipt: %s", error)
            if "ids" not in line.granted:
                return await self._end(id_, State.UNKNOWN)
            sending.tries_count += 1
            sending.first_ms = sending.first_ms or self._records.now_ms()
            return False
        queued = isinstance(reply, QuestionSent | AnswerSent) and reply.status == State.QUEUED.value
        if sending.message.kind not in {Kind.ASK, Kind.STATE}:
            self._recent.append((self._records.now_ms(), id_))
        return await self._end(id_, State.QUEUED if queued else State.DELIVERED)

    async def _refused(self, id_: str, error: Refused) -> bool:
        if error.code == "id_reused":  # by ourselves, in another form: the friend's client was another one then
            return await self._end(id_, State.UNKNOWN)
        return await self._end(id_, State.EXPIRED if error.code == "already_expired" else State.FAILED, error.text)

    async def _end(self, id_: str, state: State, detail: str = "") -> bool:
        await self._records.advance(id_, state, detail)
        return True

    async def _pause(self, sending: Sending, retry_after_ms: int) -> None:
        grown_seconds = min(FIRST_DELAY_SECONDS * 2**sending.delays_count, MOST_DELAY_SECONDS)
        sending.delays_count = min(sending.delays_count + 1, 16)
        seconds = max(retry_after_ms / 1000, grown_seconds) + random.uniform(0, FIRST_DELAY_SECONDS)  # noqa: S311  # jitter
        await asyncio.sleep(max(min(seconds, self._left_seconds(sending.message)), 0.0))

    def _frame(self, sending: Sending, line: Line) -> magi1_requests.Ask | magi1_requests.Answer:
        message = sending.message
        if not sending.body:
            friend = self._circle.get(message.to)
            objects = "objects" in line.granted and friend is not None and friend.takes_objects
            sending.body = (content.encode_object if objects else content.encode_text)(_content(message))
        body = Raw(sending.body)
        if "ids" not in line.granted:
            kind = magi1_requests.Ask if message.kind in QUESTIONS else magi1_requests.Answer
            return kind(content=body, to=message.to)
        trace = list(message.trace.marks) or None
        expires = message.expires_ms if message.kind in {*QUESTIONS, Kind.STATE} else None
        if message.kind in QUESTIONS:
            return magi1_requests.Ask(content=body, to=message.to, id=message.id, trace=trace, expires=expires)
        return magi1_requests.Answer(
            content=body,
            to=message.to,
            id=message.id,
            trace=trace,
            expires=expires,
            replyTo=message.reply_to or None,
        )


def _content(message: Outgoing) -> Content:
    trace = content.Trace(message.trace.id, message.trace.marks, message.trace.turn)
    return Content(
        message.kind.value,
        text=message.text if message.kind not in {Kind.DECLINE, Kind.STATE} else "",
        reason=message.text if message.kind is Kind.DECLINE else "",
        state=message.text if message.kind is Kind.STATE else "",
        thread=message.thread,
        parent=message.parent,
        origin=message.origin.value,
        trace=trace,
        expires=message.expires_ms if message.kind in QUESTIONS else 0,
    )
