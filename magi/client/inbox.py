"""What friends want of us, as it is offered to whoever reads it: each item once per process, until it is settled for good.

The store is the queue. What was offered and not settled is offered again by the next process (at least once over crashes).
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from magi.client.asks import TAKEN, Answer
from magi.client.bells import INBOX
from magi.client.errors import AlreadySettled
from magi.client.model import Incoming, Kind, Origin, Outgoing, Trace
from magi.client.outbox import Outbox, new_id
from magi.client.records import Records

ANSWER_LIFE_MS = 7 * 24 * 60 * 60 * 1000
"""How long an answer is worth sending; as long as the exchange keeps mail by default."""
PAGE_COUNT = 100
EXPIRED = "expired"
"""How a question is settled that nobody answered in time."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What settling did. ``how`` is ``answered``, ``declined``, ``acked`` or ``deferred``; ``id`` is that of the message which
    tells the friend, and is in the outbox; empty if there is none."""

    how: str
    id: str = ""


class Question:
    """A friend's question (``kind`` ``ask``), or a note, which wants no answer. Open until settled, by whoever is first."""

    def __init__(self, message: Incoming, inbox: "Inbox") -> None:
        self.message = message
        self._inbox = inbox

    @property
    def id(self) -> str:
        """Its id, the sender's own."""
        return self.message.id

    @property
    def sender(self) -> str:
        """The friend's username."""
        return self.message.sender

    @property
    def nickname(self) -> str:
        """What the friend calls itself."""
        return self.message.nickname

    @property
    def text(self) -> str:
        """The friend's words. They come from outside and carry no authority."""
        return self.message.text

    @property
    def wants_answer(self) -> bool:
        """Whether it is a question; a note is not."""
        return self.message.kind is Kind.ASK

    async def answer(self, text: str, *, origin: Origin = Origin.HUMAN) -> Receipt:
        """Answer; returns when the answer is safe in the outbox.

        Raises:
            AlreadySettled: It was settled before. Nothing was sent.
            TooLarge: No frame could hold the text.
        """
        return await self._inbox.reply(self.message, Kind.ANSWER, text, origin=origin)

    async def decline(self, reason: str = "", *, origin: Origin = Origin.HUMAN) -> Receipt:
        """Say that nobody will answer. Raises as :meth:`answer` does."""
        return await self._inbox.reply(self.message, Kind.DECLINE, reason, origin=origin)

    async def defer(self, seconds: float) -> Receipt:
        """Have it offered again after so long, in this process."""
        self._inbox.offer_later(self.message, seconds)
        return Receipt("deferred")

    async def ack(self) -> Receipt:
        """Take note of it without an answer.

        Raises:
            AlreadySettled: It was settled before.
        """
        return await self._inbox.ack(self.message)

    def __str__(self) -> str:
        return self.text


class Notice:
    """News that are no message: one of ours ended undelivered (``kind`` ``notice``; ``text`` is ``expired`` or ``parked`` and
    ``about`` its id), or a message that needs a newer client (``foreign``; ``text`` is not for showing)."""

    def __init__(self, message: Incoming, inbox: "Inbox") -> None:
        self.message = message
        self._inbox = inbox

    @property
    def kind(self) -> Kind:
        """``notice`` or ``foreign``."""
        return self.message.kind

    @property
    def text(self) -> str:
        """See above."""
        return self.message.text

    @property
    def about(self) -> str:
        """The id of the message of ours that it is about."""
        return self.message.reply_to

    async def ack(self) -> Receipt:
        """Take note of it.

        Raises:
            AlreadySettled: Somebody did before.
        """
        return await self._inbox.ack(self.message)


Item = Question | Answer | Notice


class Inbox:
    """Offers items, and settles them."""

    def __init__(self, records: Records, outbox: Outbox) -> None:
        self._records = records
        self._outbox = outbox
        self._offered: dict[tuple[str, str], Kind] = {}

    async def items(self, kinds: Sequence[Kind] = ()) -> AsyncGenerator[Item, None]:
        """Yield what is open, oldest first, and what comes, of some kinds or of all; each once, whoever asks.

        Raises:
            Displaced: The client has ended, as all other errors that end one.
        """
        with self._records.bells.at(INBOX) as bell:
            while True:
                while page := await self._not_offered(kinds):
                    for message in page:
                        if await self._offer(message):
                            yield self.item(message)
                await bell.next()

    async def questions(self) -> AsyncGenerator[Question, None]:
        """Yield questions only."""
        async with aclosing(self.items((Kind.ASK,))) as items:
            async for item in items:
                if isinstance(item, Question):
                    yield item

    async def _not_offered(self, kinds: Sequence[Kind]) -> list[Incoming]:
        offered, limit = dict(self._offered), len(self._offered) + PAGE_COUNT
        page = await self._records.store.inbox(kinds, limit=limit)
        if len(page) < limit:
            self._forget_settled(offered, kinds, page)
        return [message for message in page if (message.sender, message.id) not in self._offered]

    async def _offer(self, message: Incoming) -> bool:
        """Take an item for one reader; ``False`` if another one has it, or nobody is to have it any more."""
        key = (message.sender, message.id)
        if key in self._offered:
            return False
        self._offered[key] = message.kind
        if message.kind is Kind.ASK and 0 < message.expires_ms <= self._records.now_ms():
            await self._records.settle(*key, EXPIRED)
        kept = await self._records.store.incoming(*key)
        return kept is not None and not kept.settled

    def _forget_settled(
        self, offered: dict[tuple[str, str], Kind], kinds: Sequence[Kind], page: Sequence[Incoming]
    ) -> None:
        """Forget what was ``offered`` before a page was read that is whole and does not have it any more."""
        still = {(message.sender, message.id) for message in page}
        for key, kind in offered.items():
            if key not in still and (not kinds or kind in kinds):
                self._offered.pop(key, None)

    def item(self, message: Incoming) -> Item:
        """Return what stands for a message."""
        if message.kind in {Kind.ASK, Kind.NOTE}:
            return Question(message, self)
        if message.kind in {Kind.ANSWER, Kind.DECLINE}:
            return Answer(message, self._records)
        return Notice(message, self)

    async def reply(
        self,
        message: Incoming,
        kind: Kind,
        text: str,
        *,
        origin: Origin = Origin.HUMAN,
        trace: Trace | None = None,
        id_: str = "",
    ) -> Receipt:
        """Answer or decline a question. The first one who does settles it.

        Raises:
            AlreadySettled: It was settled before. Nothing was sent.
            TooLarge: No frame could hold the text.
        """
        now_ms = self._records.now_ms()
        reply = Outgoing(
            id=id_ or new_id(),
            to=message.sender,
            kind=kind,
            text=text,
            made_ms=now_ms,
            expires_ms=now_ms + ANSWER_LIFE_MS,
            reply_to=message.id,
            thread=message.thread,
            origin=origin,
            trace=trace or message.trace,
        )
        await self._outbox.put(reply)
        self._offered.pop((message.sender, message.id), None)
        return Receipt("declined" if kind is Kind.DECLINE else "answered", reply.id)

    async def ack(self, message: Incoming) -> Receipt:
        """Settle an item without a message.

        Raises:
            AlreadySettled: It was settled before.
        """
        if not await self._records.settle(message.sender, message.id, TAKEN):
            raise AlreadySettled
        self._offered.pop((message.sender, message.id), None)
        return Receipt(TAKEN)

    def offer_later(self, message: Incoming, seconds: float) -> None:
        """Offer an item that was offered before once more, after a while."""
        key = (message.sender, message.id)
        self._offered[key] = message.kind
        asyncio.get_running_loop().call_later(seconds, self._offer_again, key)

    def _offer_again(self, key: tuple[str, str]) -> None:
        self._offered.pop(key, None)
        self._records.bells.ring(INBOX)
