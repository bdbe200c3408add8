"""Tables of links."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from exchange.core.ids import Uid
from exchange.core.model import Link


class Notice(Enum):
    """What the user whose table changes hears of it, in the same step as the change."""

    NONE = ""
    QUIET = "quiet"  # its node updates the table
    ANNOUNCE = "announce"  # its node updates the table and tells the client


class PutWord(Enum):
    """What became of a link."""

    ADDED = "added"
    KEPT = "kept"  # there was one with this peer; its connection stays
    ABSENT = "absent"  # nothing was written: the condition did not hold


@dataclass(frozen=True, slots=True)
class Put:
    """``link`` as it stands now; ``prev`` and ``rev`` are the table revisions before and after."""

    word: PutWord
    link: Link
    rev: int
    prev: int


class Condition(Enum):
    """When a link is written."""

    ALWAYS = ""
    HERE = "here"  # only if this user has a session
    LINKED = "linked"  # only if there is a link with this peer and connection, and no newer stamp on it: change it


class Links(Protocol):
    """Each user's table of links (DEL-42). A friendship is two links, one in each table, with one connection id."""

    async def table(self, uid: Uid) -> tuple[int, tuple[Link, ...]]:
        """Return the table of a user and its revision, as of one moment."""

    async def put(
        self,
        uid: Uid,
        link: Link,
        *,
        notice: Notice = Notice.NONE,
        condition: Condition = Condition.ALWAYS,
        unseen: bool = False,
    ) -> Put:
        """Write ``uid``'s link with ``link.peer`` in one step and give notice of it.

        A link with this peer that exists keeps its connection id and the newest stamp. It becomes the most recent one
        (``made`` is set to the new revision), except under ``Condition.LINKED``, which keeps ``made`` and ``persist``.

        Args:
            uid: Whose table changes.
            link: How it is to stand.
            notice: What the user's node hears of it.
            condition: When it is written.
            unseen: The user is away; :meth:`Users.open` names this link as ``waiting``, once, unless it was announced
                to a session of the user meanwhile.
        """

    async def mark_away(self, uid: Uid, peer: Uid, connection: str, stamp: int) -> bool:
        """Note in ``uid``'s table that a persistent friend is not here, and give notice, in one step.

        Nothing happens if that is known, or if something newer than ``stamp`` is; returns whether this call did it.
        """

    async def set_aside(self, uid: Uid, link: Link, *, keep_ms: int) -> None:
        """Keep a link for a user who is away but may be back within ``keep_ms``; :meth:`Users.open` brings it (MAGI-28)."""

    async def end(self, uid: Uid, peer: Uid, connection: str, *, keep_ms: int = 0) -> bool:
        """Remove ``uid``'s link with ``peer`` if it is this connection, and tell ``uid``'s node, in one step.

        Returns whether this call removed it: of all who try exactly one is told so (DEL-29). With ``keep_ms`` the link
        is set aside for a quick reconnect of ``uid``. A link that was only set aside is forgotten without notice.
        """

    async def block(self, uid: Uid, name: str, peers: Collection[Uid], *, most: int) -> bool:
        """Enter a name, and who is known to have it, among those ``uid`` wants nothing to do with.

        ``False``: nothing was entered, it would be more than ``most`` names, or as many users.
        """

    async def unblock(self, uid: Uid, name: str) -> bool:
        """Remove a name again, and whoever was entered with it; return whether there was anything."""

    async def blocks(self, uid: Uid, name: str, peer: Uid) -> str | None:
        """Tell under which name ``uid`` has blocked this name or this user; ``None``: neither is blocked."""
