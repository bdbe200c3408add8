"""Pairs, their two slots, and the channels between them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import End, PairId, PairInfo, Passing, Role, SlotWake, Usage


@dataclass(frozen=True, slots=True)
class Allowances:
    """What one pair may do, the same for the whole cluster (CORAL-21, CORAL-22)."""

    daily_bytes: int = 524_288_000
    monthly_bytes: int = 10_737_418_240
    phone_per_minute: int = 30
    phone_burst: int = 30
    agent_per_minute: int = 120
    agent_burst: int = 120

    def per_minute(self, role: Role) -> int:
        """Return how many frames a minute a role may send in the long run."""
        return self.phone_per_minute if role is Role.PHONE else self.agent_per_minute

    def burst(self, role: Role) -> int:
        """Return how many frames a role may send at once."""
        return self.phone_burst if role is Role.PHONE else self.agent_burst


@dataclass(frozen=True, slots=True)
class Entered:
    """A connection is the current one of its slot.

    ``paired`` tells whether the peer has a current connection anywhere; ``replaced_count`` how often connections of this
    slot replaced each other in the running minute, this time included.
    """

    number: int
    paired: bool
    usage: Usage
    replaced_count: int


PassReceipt = Callable[[Passing | StorageUnavailable], None]
"""Is told once what became of a frame. After a ``StorageUnavailable`` with ``sent`` nobody knows."""


class Pairs(Protocol):
    """Tokens and slots. Tokens are given in the clear and kept nowhere; of each the first 16 characters are."""

    def pair_of(self, token: str) -> PairId:
        """Return the id of the pair that a token stands for, whether there is one or not."""

    async def create(self, token: str, *, ttl_ms: int = 0) -> PairId:
        """Make a pair, for ``ttl_ms`` or, with 0, for ever. A repeat changes nothing."""

    async def exists(self, pair: PairId) -> bool:
        """Tell whether there is such a pair now."""

    async def delete(self, pair: PairId) -> bool:
        """End a pair in one step: nobody can enter any more, both slots are free, and the nodes of both hear ``Revoked``.

        Its usage is kept. Returns whether there was one.
        """

    async def enter(self, pair: PairId, role: Role, sid: str, node: str) -> Entered | None:
        """Make the session ``sid`` the current one of a slot, in one step; ``None`` if there is no such pair.

        In the same step the peer's current connection is sent ``PeerUp``, every time, also on a replacement (CORAL-11,
        CORAL-12), and this slot's channel ``Superseded``. Numbers of a slot only grow, also over its deletion. A repeat by
        the current ``sid`` returns the same number and sends nothing.
        """

    async def leave(self, pair: PairId, role: Role, sid: str) -> bool:
        """Free a slot in one step if ``sid`` still is its current session, and send the peer ``PeerDown``.

        ``False``: it is not; nothing was changed or sent (CORAL-24).
        """

    async def connected(self, pair: PairId) -> frozenset[Role]:
        """Return which slots have a current connection; none of an unknown pair."""

    async def usage(self, pair: PairId) -> Usage:
        """Return what a pair passed on; of an unknown one what is still known."""

    def all(self) -> AsyncIterator[PairInfo]:
        """Iterate over all pairs, in no order. For operators: it goes through the whole store."""


class SlotListener(Protocol):
    """Whoever works off what arrives for the slots of this node."""

    def heard(self, pair: PairId, role: Role, wake: SlotWake) -> None:
        """Something for a slot this node listens for, in the order in which the store passed it on; never blocks."""

    def cut(self) -> None:
        """Something may have been lost (a broken connection): no connection of this node can be proven current."""


class Slots(Protocol):
    """The channels of slots. In order per sender and slot, at most once (CORAL-16)."""

    def attend(self, listener: SlotListener) -> None:
        """Name the one listener of this node; called once, before anything else."""

    async def listen(self, pair: PairId, role: Role) -> None:
        """Listen for a slot; returns when the store has confirmed it: what is sent from now on arrives.

        After a failure call it again, or :meth:`forget`: the store may still begin to listen.
        """

    def forget(self, pair: PairId, role: Role) -> None:
        """Stop listening for a slot."""

    def pass_on(self, end: End, frame: bytes, receipt: PassReceipt, *, handed: bool = False) -> None:
        """Check a frame of ``end`` and send it to the peer's current connection, in one step. Never repeated by itself.

        Frames of one node are checked, and their receipts called, in order, never from in here. With ``handed`` the
        peer's node is asked to tell when it gave the frame to the socket.
        """

    def hand_over(self, pair: PairId, role: Role, number: int) -> None:
        """Send ``HandedOver`` to the end ``number`` of a slot. May be lost with the connection to the store."""

    async def mark(self, end: End, *, busy: bool) -> None:
        """Say whether a connection's queue is full, unless it is not current any more. Repeatable."""

    def silent_seconds(self) -> float:
        """Return for how long nothing has shown that the store hears this node: a few seconds in good times."""
