"""One message on its way into its recipient's mailbox, and what becomes of it (DEL-6, DEL-36)."""

import asyncio
from typing import TYPE_CHECKING

from exchange.core.commands import DELIVERED, QUEUED, Send, Sent
from exchange.core.errors import (
    AlreadyExpired,
    ExchangeError,
    IdReused,
    MailboxFull,
    NotLinked,
    StorageUnavailable,
    Unavailable,
)
from exchange.core.features import HISTORY
from exchange.core.ids import Offset
from exchange.core.model import Envelope, Link, Record
from exchange.core.session import Session
from exchange.front import Settle
from exchange.ports import StoredWord

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

RETRY_SECONDS = (0.1, 0.3, 0.9, 1.8)
"""Pauses between repeats of an append whose outcome nobody knows: it is stored once, however often it is said (DEL-11)."""


class Deposit:
    """One message on its way. It is its own receipt (``MailReceipt``), so that the hot path allocates one object."""

    __slots__ = ("_repeats", "command", "envelope", "exchange", "forwarded", "link", "session", "settle", "until_ms")

    def __init__(self, exchange: "Exchange", session: Session, command: Send, link: Link, settle: Settle) -> None:
        user = session.identified()
        self.exchange = exchange
        self.session = session
        self.command = command
        self.link = link
        self.settle = settle
        self.forwarded = True
        """Whether the message is, or may be, in the mailbox because of this request."""
        self._repeats: asyncio.Future[bool] | None = None
        now_ms = exchange.store.clock.now_ms()
        self.until_ms = now_ms + exchange.policy.mail_ttl_ms
        if command.expires_ms:
            # Past its time it is not stored; but it may have been, and then its sender gets the first reply again.
            self.until_ms = min(self.until_ms, command.expires_ms) if command.expires_ms > now_ms else 0
        self.envelope = Envelope(
            command.kind,
            user.uid,
            link.connection,
            0,
            now_ms,
            command.body or b"",
            command.id or exchange.mint(),
            command.reply_to,
            command.trace,
            command.expires_ms,
            user.name,
            user.nick,
        )

    def send(self) -> None:
        """Append the message to the mailbox."""
        self.exchange.store.mailboxes.append(self.link.peer, self.envelope, self.until_ms, self)

    def filed(self, word: StoredWord, offset: Offset, nodes_count: int) -> None:
        """Take the mailbox's answer."""
        if word is StoredWord.STORED or (word is StoredWord.DUPLICATE and self._repeats is not None):
            self._stored(offset, nodes_count)  # a repeat of our own: this request stored it
        elif word is StoredWord.DUPLICATE:
            self.forwarded = False
            self.exchange.witness.repeated()
            self.session.sent.setdefault(self.link.peer, (offset, self.envelope.id))
            self._reply(nodes_count)
        elif word is StoredWord.CONFLICT:
            self._refuse(IdReused())
        elif word is StoredWord.LATE:
            self._refuse(AlreadyExpired())
        elif word is StoredWord.FULL:
            self._refuse(MailboxFull(self.link.nick))
        else:
            self._refuse(NotLinked(self.link.nick))

    def failed(self, error: StorageUnavailable) -> None:
        """Take the store's silence: say it again while nothing has overtaken it, for a repeat is harmless."""
        if self._repeats is not None:
            self._repeats.set_result(False)
        elif self.settle.hold():
            self.exchange.spawn(self._repeat())
        else:
            self.forwarded = error.sent
            self.settle.settle(Unavailable())

    def _stored(self, offset: Offset, nodes_count: int) -> None:
        exchange, command, link = self.exchange, self.command, self.link
        exchange.witness.forwarded(command.kind, self.envelope.name, link.name, command.characters, stored=True)
        self.session.sent[link.peer] = (offset, self.envelope.id)
        if exchange.policy.history_keep_ms and link.remembers and HISTORY in self.session.features:
            exchange.spawn(exchange.insist(self._remember, "history.add"))
        self._reply(nodes_count)

    def _reply(self, nodes_count: int) -> None:
        if not nodes_count:
            note, peer = self.exchange.store.dues.note, self.link.peer
            self.exchange.spawn(self.exchange.insist(lambda: note(peer, self.until_ms), "mail.note"))
        self._settle(Sent(self.command.kind, self.link.nick, DELIVERED if nodes_count else QUEUED))

    def _refuse(self, error: ExchangeError) -> None:
        self.forwarded = False
        self._settle(error)

    def _settle(self, outcome: Sent | ExchangeError) -> None:
        self.settle.settle(outcome)
        if self._repeats is not None:
            self._repeats.set_result(True)

    async def _repeat(self) -> None:
        for pause in RETRY_SECONDS:
            await asyncio.sleep(pause)
            if not self.exchange.tenure.current():
                continue  # this node may not act now; whoever may renews the lease
            self._repeats = asyncio.get_running_loop().create_future()
            self.send()
            if await self._repeats:
                break
        else:
            self.settle.settle(Unavailable())
        self.settle.proceed()

    async def _remember(self) -> None:
        """Add the message to both sides of the history. A repeat after an unknown outcome shows it twice; nothing is lost."""
        add, envelope, link = self.exchange.store.histories.add, self.envelope, self.link
        keep_ms = self.exchange.policy.history_keep_ms
        for uid, mine in ((link.peer, False), (envelope.sender, True)):
            record = Record(
                envelope.accepted_ms, "", mine, envelope.kind, envelope.id, envelope.reply_to, envelope.body
            )
            await add(uid, link.connection, record, keep_ms=keep_ms)
