"""Keeps one line up, for as long as the exchange and the owner of the name let it (CLI-4 to CLI-6)."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from magi.client.bells import LINE
from magi.client.errors import Displaced, MagiError, NotConnected, OutcomeUnknown
from magi.client.intake import Feed
from magi.client.line import Identity, Line
from magi.client.model import Event, Tokens
from magi.client.outbox import new_id
from magi.client.records import Records
from magi.client.resume import Course, Ended, Verdict
from magi.wire.codes import CloseCode
from magi.wire.magi1_frames import Draining, Frame
from magi.wire.magi1_requests import Identify, Request

REFRESH_SECONDS = 25 * 60.0
"""A line on which nothing is said for 30 min is closed (MAGI-33)."""
DEAD_LINE_SECONDS = 1.0
LINE_SECONDS = 10.0
TRIES_COUNT = 3

_log = logging.getLogger(__name__)


class OpenLine(Protocol):
    """As ``Line.open``."""

    async def __call__(
        self, address: str, identity: Identity, tokens: Tokens, *, on_push: Callable[[Frame], None]
    ) -> Line:
        """Connect and identify."""


class Connection:
    """:meth:`run` it in a task; it ends by raising what ended the client."""

    def __init__(
        self,
        records: Records,
        course: Course,
        identity: Identity,
        *,
        open_line: OpenLine,
        settle_in: Callable[[Line], Awaitable[None]],
        attach: Callable[[Feed, Line], None],
        tell: Callable[[Event], None],
    ) -> None:
        """``settle_in`` is run on each new line before anybody may use it, ``attach`` then lets its pushes in."""
        self.line: Line | None = None
        self.trouble: MagiError | None = None
        """Why the last attempt failed; ``None`` once one did not."""
        self._records = records
        self._course = course
        self._identity = identity
        self._open_line = open_line
        self._settle_in = settle_in
        self._attach = attach
        self._tell = tell
        self._leave = asyncio.Event()
        self._gone = asyncio.Event()

    async def run(self) -> None:
        """Connect, and come back whenever the line ends.

        Raises:
            NameTaken, TokenRefused, Refused, NotConnected: Trying again changes nothing.
            Displaced: Another connection uses this identity, and takes it back when we come.
        """
        while True:
            await self._serve(await self._connect())

    async def next_line(self, dead: Line | None = None) -> Line:
        """Wait for a line. If the present one is ``dead``, give it a moment to be replaced."""
        with self._records.bells.at(LINE) as bell:
            if dead is not None and self.line is dead:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DEAD_LINE_SECONDS):
                        await bell.next()
            while self.line is None:
                await bell.next()
            return self.line

    async def line_soon(self, dead: Line | None = None) -> Line:
        """Wait for a line for 10 s.

        Raises:
            NotConnected: There is none; or the error that says why.
        """
        try:
            async with asyncio.timeout(LINE_SECONDS):
                return await self.next_line(dead)
        except TimeoutError:
            raise self.trouble or NotConnected() from None

    async def request(self, request: Request) -> Frame:
        """Make a request that is no message, and repeat it under its id while it is not known whether it happened.

        Raises:
            NotConnected: There was no line for 10 s. Nothing happened.
            OutcomeUnknown: It may have happened.
            Refused, Unavailable: The exchange said no.
        """
        id_, dead, sent = new_id(), None, False
        for _ in range(TRIES_COUNT):
            line = await self.line_soon(dead)
            if sent and not line.granted:
                break
            try:
                return await line.request(msgspec.structs.replace(request, id=id_ if line.granted else None))
            except NotConnected:
                dead = line
            except OutcomeUnknown:
                dead, sent = None, True
                if not line.granted:
                    raise
        raise OutcomeUnknown if sent else NotConnected

    def drain(self, frame: Draining, line: Line) -> None:
        """The node goes away: come back elsewhere, at a random moment of its window, and use the line until then (DEL-48)."""
        if line is self.line:
            self._course.draining(frame.afterMs, frame.untilMs, _now())
            self._leave.set()

    async def close(self) -> None:
        """Close the line in order, after :meth:`run` was ended. If this is cut off, call it again."""
        if self.line is not None:
            await self.line.close()
            self.line = None

    # --- its life ----------------------------------------------------------------------------------------------------

    async def _connect(self) -> Line:
        while True:
            address, delay_seconds = self._course.next_attempt(_now())
            await self._pause(delay_seconds)
            feed = Feed()
            try:
                tokens = await self._records.store.tokens()
                line = await self._open_line(address, self._identity, tokens, on_push=feed.push)
            except MagiError as error:
                _log.info("not connected: %s", error)
                self.trouble = error
                if self._course.ended(error, _now()) is Verdict.GIVE_UP:
                    raise
                continue
            try:
                await self._take_over(line, feed)
            except BaseException:
                await line.close()
                raise
            return line

    async def _pause(self, seconds: float) -> None:
        """Wait for the next attempt; not any longer when the node that we are to leave has closed the line."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        self._gone.clear()

    async def _take_over(self, line: Line, feed: Feed) -> None:
        if line.token:
            await self._records.store.keep_token(line.token)
        self._course.opened(_now())
        self._leave.clear()
        await self._settle_in(line)
        before, self.line, self.trouble = self.line, line, None
        self._attach(feed, line)
        self._records.bells.ring(LINE)
        self._tell(Event("connected", detail=line.server))
        if before is not None:
            await before.close()

    async def _serve(self, line: Line) -> None:
        """Wait until the line has ended, or has to be left."""
        ended = asyncio.ensure_future(line.ended())
        leave = asyncio.ensure_future(self._leave.wait())
        done: set[asyncio.Future[Any]] = set()
        try:
            while not done:
                done, _ = await asyncio.wait(
                    {ended, leave}, timeout=REFRESH_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    await self._refresh(line)
        finally:
            leave.cancel()
            if not done:
                ended.cancel()
        if ended not in done:
            # The line stays in use until the next one is there, or the node closes it.
            self._gone.clear()
            ended.add_done_callback(lambda _: self._drop_drained(line))
            self._course.ended(Ended(CloseCode.NORMAL, asked=True), _now())
            return
        what = ended.result()
        self._drop(line, f"{what.code} {what.reason}".strip())
        if self._course.ended(what, _now()) is Verdict.DISPLACED:
            self._tell(Event("displaced"))
            raise Displaced

    def _drop(self, line: Line, why: str) -> None:
        if self.line is line:
            self.line = None
            self._tell(Event("disconnected", detail=why))

    def _drop_drained(self, line: Line) -> None:
        if self.line is line:
            self._drop(line, "draining")
            self._gone.set()

    async def _refresh(self, line: Line) -> None:
        """Say something, so that the line is not idle."""
        identity = self._identity
        id_ = new_id() if line.granted else None
        try:
            await line.request(Identify(identity.username, identity.nickname, id=id_))
        except MagiError as error:
            _log.info("a line is given up: %s", error)
            await line.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
