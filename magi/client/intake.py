"""The way in: one task takes what the exchange says unasked into the store (CLI-9 to CLI-11).

It commits, then acknowledges, and waits for nobody but the store. What it could not commit is not acknowledged, so it comes
again; what comes again is known by sender and id, acknowledged, and dropped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import UNSET, UnsetType

from magi.client.circle import Circle
from magi.client.line import Line
from magi.client.model import Incoming, Kind, Origin, Outgoing, Trace
from magi.client.outbox import Outbox, new_id
from magi.client.records import Records
from magi.client.states import State
from magi.wire import content
from magi.wire import magi1_frames as frames
from magi.wire.magi1_requests import Ack

BATCH_COUNT = 64
"""As many as the exchange has under way unacknowledged (MAGI-48)."""
NOTED = "acked"
"""How things are settled that nobody needs to look at."""
REPORTED = frozenset({State.ARRIVED, State.HELD, State.SEEN, State.STALLED})
"""What a friend's client may say of our ask; everything else is for others to say."""
STATE_LIFE_MS = 24 * 60 * 60 * 1000


class Feed:
    """The pushes of one line, in order. Those that come before anybody is ready for them wait here."""

    def __init__(self) -> None:
        self.line: Line | None = None
        self._queue: asyncio.Queue[tuple[Feed, frames.Frame]] | None = None
        self._early: list[frames.Frame] = []

    def push(self, frame: frames.Frame) -> None:
        """Take a push; never blocks."""
        if self._queue is None:
            self._early.append(frame)
        else:
            self._queue.put_nowait((self, frame))

    def attach(self, line: Line, queue: "asyncio.Queue[tuple[Feed, frames.Frame]]") -> None:
        """Hand everything on from now on."""
        self.line, self._queue = line, queue
        for frame in self._early:
            self.push(frame)
        self._early.clear()


class Intake:
    """Takes in pushes of all lines. :meth:`run` it in a task; what the store raises comes out there."""

    def __init__(
        self,
        records: Records,
        circle: Circle,
        outbox: Outbox,
        others: Callable[[frames.Gap | frames.Draining, Line], Awaitable[None]],
    ) -> None:
        """``others`` takes the pushes that are about the line."""
        self.queue: asyncio.Queue[tuple[Feed, frames.Frame]] = asyncio.Queue()
        self.shunned: set[str] = set()
        """Users whose messages are thrown away, where the exchange cannot do it for us."""
        self._records = records
        self._circle = circle
        self._outbox = outbox
        self._others = others
        self._fresh: list[Incoming] = []
        self._table: dict[type[Any], Callable[[Any, Line], Awaitable[None]]] = {
            frames.Question: self._message,
            frames.Answered: self._message,
            frames.Expired: self._fate,
            frames.Parked: self._fate,
            frames.FriendConnected: self._joined,
            frames.FriendDisconnected: self._left,
            frames.FriendPresence: self._changed,
            frames.Gap: self._others,
            frames.Draining: self._others,
        }

    async def run(self) -> None:
        """Go on for ever."""
        while True:
            batch = [await self.queue.get()]
            while len(batch) < BATCH_COUNT and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            upto: dict[Feed, str] = {}
            for feed, frame in batch:
                assert feed.line is not None
                await self._table[type(frame)](frame, feed.line)
                if isinstance(offset := getattr(frame, "offset", UNSET), str):
                    upto[feed] = offset
            for feed, offset in upto.items():
                assert feed.line is not None
                feed.line.send(Ack(upTo=offset))
            await self._report_arrivals()

    # --- messages ----------------------------------------------------------------------------------------------------

    async def _message(self, frame: frames.Question | frames.Answered, line: Line) -> None:
        if frame.from_ in self.shunned:
            return
        message = await self._read(frame)
        added = await self._records.put_in(message)
        known = frame.id is not UNSET and "objects" in line.granted
        if added and known and message.kind is Kind.ASK:
            self._fresh.append(message)

    async def _read(self, frame: frames.Question | frames.Answered) -> Incoming:
        asked = isinstance(frame, frames.Question)
        read = content.decode(frame.content, asked=asked)
        kind = Kind(read.kind)
        settled = ""
        if kind is Kind.STATE:
            settled = NOTED
            if read.state not in REPORTED:
                kind, read = (
                    Kind.FOREIGN,
                    content.Content(content.FOREIGN, bytes(frame.content).decode(errors="replace")),
                )
        reply_to, matched = ("", "") if asked else await self._matched(frame, kind)
        return Incoming(
            id=_given(frame.id) or new_id(),
            sender=frame.from_,
            nickname=frame.fromNickname,
            kind=kind,
            text=read.said,
            received_ms=self._records.now_ms(),
            expires_ms=read.expires or (0 if frame.expires is UNSET else frame.expires),
            reply_to=reply_to,
            thread=read.thread,
            parent=read.parent,
            origin=Origin(read.origin) if read.origin in set(Origin) else Origin.HUMAN,
            trace=_trace(read.trace, frame.trace),
            matched=matched,
            offset=_given(frame.offset),
            settled=settled,
        )

    async def _matched(self, frame: frames.Question | frames.Answered, kind: Kind) -> tuple[str, str]:
        """Return the ask that an answer belongs to, and how that is known (CLI-10)."""
        sender, reply_to = frame.from_, _given(getattr(frame, "replyTo", UNSET))
        if reply_to:
            ask = await self._records.store.out(reply_to)
            if ask is None:
                return reply_to, ""
            return (reply_to, "id") if self._may_answer(ask, sender) else ("", "")
        if kind in {Kind.ANSWER, Kind.DECLINE}:
            for ask in await self._records.store.open_asks(sender):
                if ask.state is not State.HELD_HERE and (ask.state is not State.PENDING or self._outbox.tried(ask.id)):
                    return ask.id, "order"
        return "", ""

    def _may_answer(self, ask: Outgoing, sender: str) -> bool:
        # Whoever was asked may have taken another name since; then nobody has the old one.
        return ask.to == sender or self._circle.get(ask.to) is None

    async def _fate(self, frame: frames.Expired | frames.Parked, _line: Line) -> None:
        word = "expired" if isinstance(frame, frames.Expired) else "parked"
        message = await self._records.store.out(frame.id)
        friend = self._circle.get(frame.to)
        notice = Incoming(
            id=f"{word}-{frame.id}",
            sender=frame.to,
            nickname=frame.to if friend is None else friend.nickname,
            kind=Kind.NOTICE,
            text=word,
            received_ms=self._records.now_ms(),
            reply_to=frame.id,
            offset=frame.offset,
            settled=NOTED if message is None or message.kind is Kind.STATE else "",
        )
        await self._records.put_in(notice)

    async def _report_arrivals(self) -> None:
        """Tell friends whose clients understand it that their asks are safe here."""
        fresh, self._fresh = self._fresh, []
        for ask in fresh:
            friend = self._circle.get(ask.sender)
            kept = await self._records.store.incoming(ask.sender, ask.id)
            if friend is not None and friend.takes_objects and kept is not None and not kept.settled:
                await self._outbox.put(state_of(ask, State.ARRIVED, self._records.now_ms()))

    # --- friends -----------------------------------------------------------------------------------------------------

    async def _joined(self, frame: frames.FriendConnected, _line: Line) -> None:
        await self._circle.joined(frame)

    async def _left(self, frame: frames.FriendDisconnected, line: Line) -> None:
        # With presence, friends who are only away are told of otherwise (MAGI-47).
        await self._circle.left(frame, for_good="presence" in line.granted)

    async def _changed(self, frame: frames.FriendPresence, _line: Line) -> None:
        await self._circle.changed(frame)


def state_of(ask: Incoming, state: State, now_ms: int) -> Outgoing:
    """Return the message that tells a friend how its ask stands here."""
    return Outgoing(
        id=new_id(),
        to=ask.sender,
        kind=Kind.STATE,
        text=state.value,
        made_ms=now_ms,
        expires_ms=min(ask.expires_ms or now_ms + STATE_LIFE_MS, now_ms + STATE_LIFE_MS),
        reply_to=ask.id,
        origin=Origin.AUTO,
    )


def _given(value: str | UnsetType) -> str:
    return "" if value is UNSET else value


def _trace(read: content.Trace, hops: tuple[str, ...] | UnsetType) -> Trace:
    marks = read.marks or (() if hops is UNSET else hops)
    return Trace(read.id, marks, read.turn)
