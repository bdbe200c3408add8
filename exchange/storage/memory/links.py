"""Tables of links in memory."""

from collections.abc import Collection
from dataclasses import replace

from exchange.core.ids import Uid
from exchange.core.model import Link
from exchange.core.wakes import Linked, Unlinked
from exchange.ports import Condition, Notice, Put, PutWord
from exchange.storage.memory.state import Blocks, Ended, Memory, User


class Links:
    """Implements ``exchange.ports.Links``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def table(self, uid: Uid) -> tuple[int, tuple[Link, ...]]:
        await self._memory.reach()
        user = self._memory.user(uid)
        return (user.rev, tuple(user.links.values())) if user is not None else (0, ())

    async def put(
        self,
        uid: Uid,
        link: Link,
        *,
        notice: Notice = Notice.NONE,
        condition: Condition = Condition.ALWAYS,
        unseen: bool = False,
    ) -> Put:
        await self._memory.reach()
        user = self._user(uid)
        old = user.links.get(link.peer)
        if not _holds(condition, user, old, link):
            return Put(PutWord.ABSENT, link, user.rev, user.rev)
        if unseen:
            user.unseen.add(link.peer)
        if notice is Notice.ANNOUNCE and user.sessions:
            user.unseen.discard(link.peer)
        link = _merged(old, link, condition, made=user.rev + 1)
        if link.persist:
            user.ends_ms = 0
        # What was kept for this peer is older than what stands now.
        user.ended.pop(link.peer, None)
        rev = self._write(uid, user, link, notice)
        return Put(PutWord.ADDED if old is None else PutWord.KEPT, link, rev, rev - 1)

    async def mark_away(self, uid: Uid, peer: Uid, connection: str, stamp: int) -> bool:
        await self._memory.reach()
        user = self._memory.user(uid)
        link = user.links.get(peer) if user is not None else None
        if user is None or link is None or link.connection != connection:
            return False
        if link.waiting or not link.persist or stamp < link.stamp:
            return False
        self._write(uid, user, replace(link, waiting=True, stamp=stamp), Notice.ANNOUNCE)
        return True

    async def set_aside(self, uid: Uid, link: Link, *, keep_ms: int) -> None:
        await self._memory.reach()
        user = self._user(uid)
        # It counts as younger than the links that the user left with.
        kept = replace(link, made=user.rev + 1)
        user.ended[link.peer] = Ended(kept, self._memory.now_ms() + keep_ms, aside=True)

    async def end(self, uid: Uid, peer: Uid, connection: str, *, keep_ms: int = 0) -> bool:
        await self._memory.reach()
        user = self._memory.user(uid)
        if user is None:
            return False
        link = user.links.get(peer)
        if link is None or link.connection != connection:
            kept = user.ended.get(peer)
            if kept is not None and kept.aside and kept.link.connection == connection:
                del user.ended[peer]
            return False
        prev = user.rev
        user.rev += 1
        del user.links[peer]
        user.unseen.discard(peer)
        if keep_ms > 0:
            user.ended[peer] = Ended(link, self._memory.now_ms() + keep_ms, aside=False)
        self._memory.publish(uid, Unlinked(user.rev, prev, peer, connection))
        return True

    async def block(self, uid: Uid, name: str, peers: Collection[Uid], *, most: int) -> bool:
        await self._memory.reach()
        blocks = self._memory.blocked.setdefault(uid, Blocks())
        if len(blocks.names | {name}) > most or len(blocks.peers.keys() | peers) > most:
            return False
        blocks.names.add(name)
        blocks.peers.update(dict.fromkeys(peers, name))
        return True

    async def unblock(self, uid: Uid, name: str) -> bool:
        await self._memory.reach()
        blocks = self._memory.blocked.get(uid, Blocks())
        entered = [peer for peer, known in blocks.peers.items() if known == name]
        for peer in entered:
            del blocks.peers[peer]
        known = name in blocks.names
        blocks.names.discard(name)
        return known or bool(entered)

    async def blocks(self, uid: Uid, name: str, peer: Uid) -> str | None:
        await self._memory.reach()
        blocks = self._memory.blocked.get(uid, Blocks())
        return name if name in blocks.names else blocks.peers.get(peer)

    def _write(self, uid: Uid, user: User, link: Link, notice: Notice) -> int:
        """Write a link at the next revision, give notice of it and return the revision."""
        user.rev += 1
        user.links[link.peer] = link
        if notice is not Notice.NONE:
            self._memory.publish(uid, _linked(link, user.rev, announce=notice is Notice.ANNOUNCE))
        return user.rev

    def _user(self, uid: Uid) -> User:
        """Return the user; one that is unknown gets an empty table."""
        return self._memory.user(uid) or self._memory.users.setdefault(uid, User())


def _holds(condition: Condition, user: User, old: Link | None, link: Link) -> bool:
    if condition is Condition.HERE:
        return bool(user.sessions)
    if condition is Condition.LINKED:
        return old is not None and old.connection == link.connection and old.stamp <= link.stamp
    return True


def _merged(old: Link | None, link: Link, condition: Condition, *, made: int) -> Link:
    """Return how a link stands after it was written over ``old``."""
    if old is None:
        return replace(link, made=made)
    if condition is Condition.LINKED:
        return replace(link, made=old.made, persist=old.persist)
    return replace(link, connection=old.connection, made=made, stamp=max(old.stamp, link.stamp))


def _linked(link: Link, rev: int, *, announce: bool) -> Linked:
    return Linked(
        rev,
        rev - 1,
        announce,
        link.peer,
        link.connection,
        link.name,
        link.nick,
        link.made,
        link.waiting,
        link.persist,
        tuple(sorted(link.features)),
        link.status,
        link.capabilities,
        link.stamp,
    )
