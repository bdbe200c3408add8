"""A user's table of links as its node knows it, and who a target means (MAGI-27).

The table is also the record of what the client was told: whoever reloads it compares, and tells the difference.
"""

from collections.abc import Iterable, Iterator

from exchange.core.errors import NoFriends, NotConnected, UserUnknown
from exchange.core.ids import Uid
from exchange.core.model import Link

ANY_FRIEND_WORDS = frozenset({"anyone", "friend"})
"""Targets that mean no target, in any case (MAGI-27 step 3)."""


class LinkTable:
    """Links by peer and by exact name, at revision ``rev`` of the store's table."""

    __slots__ = ("_by_name", "_by_peer", "rev")

    def __init__(self, links: Iterable[Link] = (), rev: int = 0) -> None:
        self._by_peer: dict[Uid, Link] = {}
        self._by_name: dict[str, Link] = {}
        self.rev = rev
        for link in links:
            self.put(link)

    def __len__(self) -> int:
        return len(self._by_peer)

    def __iter__(self) -> Iterator[Link]:
        return iter(self._by_peer.values())

    def get(self, peer: Uid) -> Link | None:
        """Return the link with ``peer``, if there is one."""
        return self._by_peer.get(peer)

    def named(self, name: str) -> Link | None:
        """Return the link with the user of exactly this name, if there is one."""
        return self._by_name.get(name)

    def put(self, link: Link) -> None:
        """Add a link, or replace the one with the same peer."""
        self.drop(link.peer)
        self._by_peer[link.peer] = link
        self._by_name[link.name] = link

    def drop(self, peer: Uid) -> Link | None:
        """Remove and return the link with ``peer``."""
        link = self._by_peer.pop(peer, None)
        if link is not None and self._by_name.get(link.name) is link:
            del self._by_name[link.name]
        return link

    def latest(self) -> Link:
        """Return the most recent link whose other end is here, else raise for the most recent of all (MAGI-27).

        Raises:
            NoFriends: The table is empty.
            NotConnected: Nobody in it is here.
        """
        best: Link | None = None
        for link in self._by_peer.values():
            if best is None or (not link.waiting, link.made) > (not best.waiting, best.made):
                best = link
        if best is None:
            raise NoFriends
        if best.waiting:
            raise NotConnected(best.nick)
        return best

    def alike(self, target: str) -> Link:
        """Return the one link that ``target`` can mean when it is not an exact name (MAGI-27 step 4).

        Raises:
            UserUnknown: No link fits, or more than one does.
        """
        wanted = target.removeprefix("@").casefold()
        hits = [
            link
            for link in self._by_peer.values()
            if wanted in (link.name.casefold(), link.nick.casefold(), _local_part(link.name).casefold())
        ]
        if len(hits) != 1:
            raise UserUnknown(target)
        return hits[0]


def _local_part(name: str) -> str:
    return name.partition("@")[0]


def differences(old: LinkTable, new: LinkTable) -> tuple[list[Link], list[Link]]:
    """Return the links that came and the links that went between two states of one table, by connection."""
    came = [link for link in new if (known := old.get(link.peer)) is None or known.connection != link.connection]
    went = [link for link in old if (kept := new.get(link.peer)) is None or kept.connection != link.connection]
    return came, went


def changed(old: LinkTable, new: LinkTable) -> list[tuple[Link, Link]]:
    """Return the persistent links whose other end came, went or says something else of itself, before and after."""
    return [(known, link) for link in new if (known := old.get(link.peer)) is not None and differs(known, link)]


def differs(old: Link, new: Link) -> bool:
    """Tell whether the other end of a persistent friendship is somewhere else, or says something else of itself."""
    if not new.persist or old.connection != new.connection:
        return False
    return (old.waiting, old.status, old.capabilities) != (new.waiting, new.status, new.capabilities)
