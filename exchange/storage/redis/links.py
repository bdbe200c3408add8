"""Tables of links on Redis. A change and its wake are one script: whoever is woken finds the change."""

from collections.abc import Collection
from dataclasses import replace

from exchange.core.ids import Uid
from exchange.core.model import Link
from exchange.ports import Condition, Notice, Put, PutWord
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.records import pack_array, pack_link, unpack_links
from exchange.storage.redis.scripts import BLOCK, LINK, MARK_AWAY, READ_TABLE, SET_ASIDE, UNBLOCK, UNLINK


class Links:
    """Implements ``exchange.ports.Links``."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace
        self.unknown_records = 0
        """Records of a newer release that were left out."""

    async def table(self, uid: Uid) -> tuple[int, tuple[Link, ...]]:
        keys = (self._keyspace.meta(uid), self._keyspace.links(uid))
        rev, fields = await self._lane.ask_script(READ_TABLE, keys, ())
        links, unknown_count = unpack_links(fields)
        self.unknown_records += unknown_count
        return rev, links

    async def put(
        self,
        uid: Uid,
        link: Link,
        *,
        notice: Notice = Notice.NONE,
        condition: Condition = Condition.ALWAYS,
        unseen: bool = False,
    ) -> Put:
        word, connection, made, persist, stamp, rev, prev = await self._lane.ask_script(
            LINK,
            self._keys(uid),
            (link.peer, pack_link(link, unseen=unseen), notice.value, condition.value),
        )
        stands = replace(link, connection=connection.decode(), made=made, persist=bool(persist), stamp=stamp)
        return Put(PutWord(word.decode()), stands, rev, prev)

    async def mark_away(self, uid: Uid, peer: Uid, connection: str, stamp: int) -> bool:
        keys = (self._keyspace.meta(uid), self._keyspace.links(uid), self._keyspace.wake(uid))
        word = await self._lane.ask_script(MARK_AWAY, keys, (peer, connection, stamp))
        return bool(word == b"marked")

    async def set_aside(self, uid: Uid, link: Link, *, keep_ms: int) -> None:
        keys = (self._keyspace.meta(uid), self._keyspace.ended(uid))
        await self._lane.ask_script(SET_ASIDE, keys, (link.peer, pack_link(link), keep_ms))

    async def end(self, uid: Uid, peer: Uid, connection: str, *, keep_ms: int = 0) -> bool:
        word = await self._lane.ask_script(UNLINK, self._keys(uid), (peer, connection, keep_ms))
        return bool(word == b"removed")

    async def block(self, uid: Uid, name: str, peers: Collection[Uid], *, most: int) -> bool:
        entries = pack_array(*(_entry_of(peer) for peer in peers))
        word = await self._lane.ask_script(BLOCK, (self._keyspace.blocked(uid),), (name, entries, most))
        return bool(word == b"blocked")

    async def unblock(self, uid: Uid, name: str) -> bool:
        word = await self._lane.ask_script(UNBLOCK, (self._keyspace.blocked(uid),), (name,))
        return bool(word == b"unblocked")

    async def blocks(self, uid: Uid, name: str, peer: Uid) -> str | None:
        by_name, by_peer = await self._lane.ask("HMGET", self._keyspace.blocked(uid), name, _entry_of(peer))
        found = by_peer if by_name is None else by_name
        return None if found is None else found.decode()

    def _keys(self, uid: Uid) -> tuple[str, ...]:
        space = self._keyspace
        return (
            space.user(uid),
            space.meta(uid),
            space.sessions(uid),
            space.links(uid),
            space.ended(uid),
            space.mailbox(uid),
            space.wake(uid),
        )


def _entry_of(peer: Uid) -> str:
    """Return the entry of a blocked user. It can be no name: those have no control characters."""
    return f"\0{peer}"
