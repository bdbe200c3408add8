"""One envelope on its way from its sender to the node of its recipient, and what becomes of it (DEL-5, DEL-31)."""

import asyncio
from typing import TYPE_CHECKING

from exchange.core.commands import Send, Sent
from exchange.core.errors import ExchangeError, NotConnected, StorageUnavailable, Unavailable
from exchange.core.model import Envelope, Link
from exchange.core.user import LocalUser
from exchange.front import Settle

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

RETRY_SECONDS = (0.1, 0.3, 0.9)
"""Pauses before a friend who seems to be here, but whom no node listens for, is called not connected (DEL-31)."""
LANDING_SECONDS = 1.0
"""How long a receipt waits for a recipient on the same node before it counts like any other."""


class Dispatch:
    """One envelope on its way. It is its own receipt, so that the hot path allocates one object and no closure."""

    __slots__ = (
        "_awaited",
        "_counted",
        "_landed",
        "_unsure",
        "command",
        "envelope",
        "exchange",
        "forwarded",
        "link",
        "settle",
        "user",
    )

    def __init__(
        self,
        exchange: "Exchange",
        user: LocalUser,
        command: Send,
        link: Link,
        settle: Settle,
    ) -> None:
        self.exchange = exchange
        self.user = user
        self.command = command
        self.link = link
        self.settle = settle
        self.forwarded = True
        """Whether the message was, or may have been, handed to somebody."""
        self._awaited = False
        self._landed: bool | None = None
        self._counted = False
        self._unsure = False
        now_ms = exchange.store.clock.now_ms()
        self.envelope = Envelope(
            command.kind,
            user.uid,
            link.connection,
            now_ms + exchange.policy.deadline_ms,
            now_ms,
            command.body or b"",
            command.id or exchange.mint(),
            command.reply_to,
            command.trace,
            command.expires_ms,
        )

    def send(self) -> None:
        """Publish the envelope on its recipient's channel."""
        if self.exchange.hub.holds(self.link.peer):
            # Both ends are here: the receipt must not overtake the message on its way round the store (MAGI-12).
            self._awaited = True
            self.exchange.hub.expect(self.user.uid, self.envelope.id, self)
        self.exchange.store.wakes.send(self.link.peer, self.envelope, self)

    def counted(self, nodes_count: int) -> None:
        """Take the store's answer (``Receipt``)."""
        if nodes_count == 0:
            self._forget_landing()
            self._nobody()
        elif self._awaited and self._landed is None:
            self._counted = True
            asyncio.get_running_loop().call_later(LANDING_SECONDS, self._landing_overdue)
        elif self._unsure:
            self._refuse(Unavailable())
        else:
            self._sent(taken=self._landed is not False)

    def failed(self, error: StorageUnavailable) -> None:
        """Take the store's silence (``Receipt``)."""
        self._forget_landing()
        if not error.sent:
            self._refuse(Unavailable())
            return
        # Nobody knows whether it went out. Our refusal must be true when it is said, so it waits until the envelope is
        # too old to be delivered (MAGI-10).
        late_ms = self.envelope.deadline_ms - self.exchange.store.clock.now_ms()
        asyncio.get_running_loop().call_later(max(0, late_ms) / 1000, self._refuse, Unavailable())

    def landed(self, *, taken: bool | None) -> None:
        """Hear that a recipient on this node got it, or did not (``Landing``)."""
        if taken is None:
            self._landed = False
            if self._counted:
                self._refuse(Unavailable())
            else:
                self._unsure = True
            return
        self._landed = taken
        if self._counted:
            self._sent(taken=taken)

    def _sent(self, *, taken: bool) -> None:
        if not taken:
            self._refuse(NotConnected(self.link.nick))
            return
        command = self.command
        self.exchange.witness.forwarded(command.kind, self.user.name, self.link.name, command.characters)
        self.settle.settle(Sent(command.kind, self.link.nick))

    def _refuse(self, error: ExchangeError) -> None:
        self.forwarded = not isinstance(error, NotConnected)
        self.settle.settle(error)

    def _nobody(self) -> None:
        # With later messages on their way a repeat would overtake them (MAGI-14): then the first answer stands.
        if self.settle.hold():
            self.exchange.spawn(self._seek())
        else:
            self._refuse(NotConnected(self.link.nick))

    async def _seek(self) -> None:
        """Repeat while the store says that the friend is here: its node may be subscribing anew (DEL-31)."""
        try:
            outcome = await self._sought()
        except ExchangeError as error:
            outcome = error
        if isinstance(outcome, ExchangeError):
            self._refuse(outcome)
        else:
            self._sent(taken=True)
        self.settle.proceed()

    async def _sought(self) -> ExchangeError | None:
        hub, user, peer = self.exchange.hub, self.user, self.link.peer
        for pause in RETRY_SECONDS:
            hub.hold(user)
            try:
                await hub.reload(user)
            finally:
                hub.release(user)
            link = user.links.get(peer)
            if link is None or link.connection != self.link.connection or link.waiting:
                break
            await asyncio.sleep(pause)
            promise = _Count()
            self.exchange.store.wakes.send(peer, self.envelope, promise)
            if await promise.outcome:
                return None
        return NotConnected(self.link.nick)

    def _forget_landing(self) -> None:
        if self._awaited:
            self.exchange.hub.unexpect(self.user.uid, self.envelope.id)

    def _landing_overdue(self) -> None:
        if self._landed is None:
            self._forget_landing()
            self._landed = True
            self._sent(taken=True)


class _Count:
    """A ``Receipt`` to wait for: true if anybody listens."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def counted(self, nodes_count: int) -> None:
        if not self.outcome.done():
            self.outcome.set_result(nodes_count > 0)

    def failed(self, error: StorageUnavailable) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)
