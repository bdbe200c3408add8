"""Who holds a name."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from exchange.core.ids import Uid
from exchange.core.model import Presence


class ClaimWord(Enum):
    """What became of a claim."""

    FRESH = "fresh"  # nobody held the name: it now belongs to the uid that was offered
    SAME = "same"  # this session held it already
    GRACE = "grace"  # a session from the same address left it moments ago: its uid comes back (MAGI-32)
    TAKEN = "taken"  # a session that is not known to be dead holds it
    RESUMED = "resumed"  # the proof is right: its uid comes back, and a session that held the name holds it no more
    GUARDED = "guarded"  # nobody holds it, but a token was issued for it and no proof was given
    WRONG = "wrong"  # the proof is not right


@dataclass(frozen=True, slots=True)
class Claim:
    """``uid`` holds the name now, or is whose name it is if it was refused; ``holder`` and ``node`` say who holds it then.

    Of a resumed name they say which session held it until now, if one did.
    """

    word: ClaimWord
    uid: Uid
    holder: str = ""
    node: str = ""


class Names(Protocol):
    """Who holds a username, for the whole cluster (MAGI-19). Names compare exactly; each dialect has its own space."""

    async def claim(
        self,
        name: str,
        presence: Presence,
        *,
        keep_uid: bool = False,
        evict: str = "",
        proof: str = "",
        takeover: bool = True,
        forfeit: Uid = "",
        token: str = "",
    ) -> Claim:
        """Claim ``name`` for the session ``presence`` in one step. Of simultaneous claims exactly one succeeds.

        A token proves whose name it is until the next one was used: whoever never received the new one comes back with
        the old one; once the new one was used, the old one is wrong (MAGI-46).

        Args:
            name: The username.
            presence: Offers ``presence.uid`` for a name nobody holds.
            keep_uid: The session has its uid already; never hand out the one that waits in grace (DEL-25).
            evict: Session id of a holder known to be dead; if it still holds the name, the name counts as free.
            proof: A token that was issued for this name. ``WRONG`` if it was not, or if nothing is known of the name.
            takeover: With the right proof, take the name from a session that holds it; else that is ``TAKEN``.
            forfeit: Uid that owns a guarded name and has nothing to lose: its name counts as free.
            token: Issue this token with the claim. Without one a name that is claimed afresh is not guarded any more.
        """

    async def release(self, name: str, dialect: str, sid: str, *, grace_ms: int, keep_ms: int = 0) -> bool:
        """Let go of ``name`` if ``sid`` holds it; return whether it did. A later holder is never touched (DEL-26).

        For ``grace_ms`` a claim from the address that claimed it gets the same uid back. 0 forgets at once. A name for
        which a token was issued comes back only with it (MAGI-32), for ``keep_ms``; 0 keeps it without end.
        """

    async def forget(self, name: str, dialect: str, sid: str) -> bool:
        """Forget ``name`` at once if ``sid`` holds it, with any token: its holder goes by another one now."""

    async def keep(self, name: str, dialect: str, uid: Uid) -> bool:
        """Let a name that nobody holds wait for its owner without end, if it is ``uid``'s and waits for a token.

        Returns whether it does.
        """

    async def find(self, name: str, dialect: str) -> Uid | None:
        """Return the uid of whoever holds ``name`` now, or ``None`` if nobody does (grace does not count)."""
