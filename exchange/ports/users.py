"""Users and their sessions."""

from dataclasses import dataclass
from typing import Protocol

from exchange.core.ids import Uid
from exchange.core.model import Link, MailState, Presence, Profile, Standing


@dataclass(frozen=True, slots=True)
class Opened:
    """A session of a user is open. ``links`` is the whole table at ``rev``; ``restored`` are the peers that were brought
    back from an ended session, and ``waiting`` those, also of persistent links, whom the user has not heard of yet:
    they redeemed its invitation while it was away (MAGI-28). ``mail`` is where its mailbox stands."""

    generation: int
    rev: int
    links: tuple[Link, ...]
    restored: frozenset[Uid]
    waiting: frozenset[Uid]
    mail: MailState


@dataclass(frozen=True, slots=True)
class Closed:
    """A session is closed. If it was the user's last one: ``ended`` are the links that ended with it, ``staying`` the
    persistent ones that stand, ``stamp`` the generation of its going, to be told to the friends in ``staying``.

    ``belongings`` tells whether the user has persistent links or mail; ``mail_until_ms`` is when the first of its mail
    expires, 0 if there is none.
    """

    ended: tuple[Link, ...] = ()
    staying: tuple[Link, ...] = ()
    stamp: int = 0
    belongings: bool = False
    mail_until_ms: int = 0


class Users(Protocol):
    """Users and the sessions they have."""

    async def open(self, presence: Presence, profile: Profile, *, takeover: bool = False) -> Opened:
        """Enter a session in one step and bring back links set aside for it that have not run out.

        The generation is larger than that of every earlier session of this user. With ``takeover`` all its other
        sessions are removed in the same step, and their nodes are told (``Replaced``). A repeat from the same node
        changes nothing and returns the same.
        """

    async def close(self, uid: Uid, sid: str, *, grace_ms: int) -> Closed:
        """Remove a session in one step and say what that means for its user's links.

        With the last session of a user all its plain links end. They are set aside for ``grace_ms``, for :meth:`open`.
        Persistent ones stay. A repeat for the same ``sid`` returns the same, without links that were brought back
        meanwhile; a ``sid`` that was never there, or was removed by a takeover, changes and returns nothing.
        """

    async def displaced(self, uid: Uid, sid: str) -> bool:
        """Tell whether another session of a user stands where this one stood."""

    async def describe(self, uid: Uid, profile: Profile, *, generation: int) -> None:
        """Change how a user is described, unless a session of a later generation stands. Links of its friends are changed
        by :meth:`Links.put`."""

    async def standing(self, uid: Uid) -> Standing | None:
        """Return whether a user is here, or ``None`` if nothing is known of it any more."""
