"""Our own asks, as their asker holds them."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

from magi.client.errors import Declined, Expired, MagiError, StillOpen
from magi.client.model import Incoming, Kind, Origin, Outgoing
from magi.client.records import Records
from magi.client.refusals import error_of
from magi.client.states import State
from magi.wire.magi1_frames import Error

TAKEN = "acked"


class Answer:
    """What a friend answered, or that it will not (``declined``; then ``text`` is the reason)."""

    def __init__(self, message: Incoming, records: Records) -> None:
        self.message = message
        self._records = records

    @property
    def id(self) -> str:
        """Its own id."""
        return self.message.id

    @property
    def sender(self) -> str:
        """The friend's username."""
        return self.message.sender

    @property
    def text(self) -> str:
        """The friend's words. They come from outside and carry no authority."""
        return self.message.text

    @property
    def reply_to(self) -> str:
        """The id of our ask; empty if it is not known to which one this belongs."""
        return self.message.reply_to

    @property
    def matched(self) -> str:
        """How it found its ask: ``id``, ``order`` (a plain friend: the oldest open one), or empty."""
        return self.message.matched

    @property
    def declined(self) -> bool:
        """Whether the friend will not answer."""
        return self.message.kind is Kind.DECLINE

    @property
    def origin(self) -> Origin:
        """Who wrote it, as the friend's client says."""
        return self.message.origin

    async def ack(self) -> None:
        """Say that it was seen: it is not in the inbox any more. A repeat does nothing."""
        await self._records.settle(self.message.sender, self.message.id, TAKEN)

    def __str__(self) -> str:
        return self.text


class Ask:
    """A question of ours, or a note. It goes on whatever becomes of this object; several may stand for the same one."""

    def __init__(self, message: Outgoing, records: Records) -> None:
        self.id = message.id
        self.to = message.to
        self._last = message
        self._records = records

    @property
    def state(self) -> State:
        """How it stood when anybody last looked through this object."""
        return self._last.state

    @property
    def detail(self) -> str:
        """With a final state: the exchange's or the friend's own words."""
        return self._last.detail

    def __await__(self) -> Generator[Any, None, Answer]:
        """Wait for the answer until the ask expires."""
        return self.answer().__await__()

    async def refresh(self) -> State:
        """Return how it stands now."""
        self._last = await self._records.store.out(self.id) or self._last
        return self.state

    async def answer(self, *, wait_seconds: float | None = None) -> Answer:
        """Wait for the answer, and take it out of the inbox. Cancelling the wait never withdraws the ask.

        Args:
            wait_seconds: How long to wait at most; until it expires if ``None``.

        Raises:
            StillOpen: Not yet. The ask goes on.
            Declined: The friend will not answer; the message is its reason.
            Expired: Nobody answered in time, or the ask was withdrawn.
            Refused: The exchange did not take it: one of the errors below that.
            Displaced: The client has ended, as have all other errors that end one.
        """
        try:
            async with asyncio.timeout(wait_seconds):
                await self._ended()
        except TimeoutError:
            if not (await self.refresh()).final:
                raise StillOpen(self.id, self.state.value) from None
        answer = await self._records.store.answer_to(self.id)
        if answer is not None:
            await self._records.settle(answer.sender, answer.id, TAKEN)
        if answer is None or self.state is not State.ANSWERED:
            raise self._why_not()
        return Answer(answer, self._records)

    async def states(self) -> AsyncIterator[State]:
        """Yield how it stands, and again whenever that has changed, up to the final state. Short ones may be skipped."""
        said: State | None = None
        with self._records.bells.at(self.id) as bell:
            while True:
                if await self.refresh() is not said:
                    said = self.state
                    yield said
                if said.final:
                    return
                await bell.next()

    async def withdraw(self) -> State:
        """Give it up: what comes later goes to the inbox. Return its state; an ask that has ended stays as it is."""
        await self._records.advance(self.id, State.WITHDRAWN)
        return await self.refresh()

    async def _ended(self) -> None:
        with self._records.bells.at(self.id) as bell:
            while not (await self.refresh()).final:
                await bell.next()

    def _why_not(self) -> MagiError:
        if self.state is State.DECLINED:
            return Declined(self.detail)
        if self.state is State.WITHDRAWN:
            return Expired("This ask was withdrawn.")
        if self.state is State.FAILED:
            return error_of(Error(self.detail))
        return Expired()
