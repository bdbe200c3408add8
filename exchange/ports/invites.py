"""Invitation codes."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from exchange.core.ids import Uid


class InviteWord(Enum):
    """What the store says of a code."""

    OPEN = "open"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"  # never made, used, or gone for a minute
    EXPIRED = "expired"  # past its time, record still there
    BUSY = "busy"  # somebody is redeeming it at this moment; of a look, also: nobody said what came of it
    COLLISION = "collision"  # another open invitation has this code
    FULL = "full"  # too many open invitations of this user


@dataclass(frozen=True, slots=True)
class Terms:
    """Who may redeem an invitation: only ``for_name`` if that is set; with ``confirm`` only whom its inviter agreed to."""

    for_name: str = ""
    confirm: bool = False


ANYBODY = Terms()
"""Whoever has the code may redeem it."""


@dataclass(frozen=True, slots=True)
class Peeked:
    """``OPEN``, ``BUSY``, ``EXPIRED`` or ``UNKNOWN``; whose invitation it is; whether it is for this redeemer, and
    whether its inviter still has to agree to this redeemer."""

    word: InviteWord
    uid: Uid = ""
    fits: bool = True
    unconfirmed: bool = False


class Invites(Protocol):
    """Invitation codes (MAGI-29). The store keeps them only as keyed hashes, and the names of their terms too."""

    async def open(self, code: str, uid: Uid, *, life_ms: int, most: int, terms: Terms = ANYBODY) -> InviteWord:
        """Open an invitation: ``OPEN``, ``COLLISION``, or ``FULL`` if ``uid`` has ``most`` open ones."""

    async def peek(self, code: str, name: str) -> Peeked:
        """Look an invitation up for a redeemer of this name."""

    async def confirm(self, code: str, uid: Uid, name: str) -> bool:
        """Agree, as its inviter ``uid``, to ``name``; ``False``: no such open invitation of this user."""

    async def claim(self, code: str, redeemer: Uid, nonce: str, *, claim_ms: int) -> InviteWord:
        """Take an open invitation for one redeem, in one step: of simultaneous claims exactly one gets ``CLAIMED``.

        The same ``nonce`` gets it again. A claim that was not settled lapses after ``claim_ms``. Nobody knows then
        whether it made a friendship, and single use goes first: only the same redeemer can claim it anew, until it is
        settled after all. Else ``BUSY``, ``EXPIRED`` or ``UNKNOWN``.
        """

    async def settle(self, code: str, uid: Uid, nonce: str, *, commit: bool) -> None:
        """End a claim: with ``commit`` the code is used up, without it is open again. Other nonces change nothing."""
