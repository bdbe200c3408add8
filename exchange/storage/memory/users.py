"""Users and their sessions in memory."""

from dataclasses import replace

from exchange.core.ids import Uid
from exchange.core.model import Link, Presence, Standing
from exchange.ports import Opened
from exchange.storage.memory.state import Ended, Memory, Opening, User

FORGET_MS = 3_600_000
"""How long a user is known after its last session."""


class Users:
    """Implements ``exchange.ports.Users``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def open(self, presence: Presence, nick: str) -> Opened:
        await self._memory.reach()
        user = self._memory.user(presence.uid)
        if user is None:
            user = self._memory.users[presence.uid] = User()
        opening = user.sessions.get(presence.sid)
        # A repeat changes nothing. From another node it is no repeat: the session goes on there after a fence (DEL-27).
        if opening is None or opening.node != presence.node:
            opening = self._enter(user, presence, nick)
        return Opened(opening.generation, user.rev, tuple(user.links.values()), opening.restored, opening.waiting)

    def _enter(self, user: User, presence: Presence, nick: str) -> Opening:
        now_ms = self._memory.now_ms()
        # A link that stands meanwhile is younger than the one that was kept.
        back = [kept for kept in user.ended.values() if kept.ends_ms > now_ms and kept.link.peer not in user.links]
        # They count as made now and keep their order among themselves.
        for kept in sorted(back, key=lambda kept: (kept.link.made, kept.ends_ms, kept.link.peer)):
            user.rev += 1
            user.links[kept.link.peer] = replace(kept.link, made=user.rev)
        user.ended.clear()
        user.name, user.nick = presence.name, nick
        user.left_ms = user.ends_ms = 0
        user.generation = max(now_ms * 1000, user.generation + 1)
        opening = Opening(
            presence.node,
            user.generation,
            frozenset(kept.link.peer for kept in back),
            frozenset(kept.link.peer for kept in back if kept.aside),
        )
        user.sessions[presence.sid] = opening
        return opening

    async def close(self, uid: Uid, sid: str, *, grace_ms: int) -> tuple[Link, ...]:
        await self._memory.reach()
        user = self._memory.user(uid)
        if user is None:
            return ()
        if sid not in user.sessions:
            before = user.left_links if user.left_sid == sid else ()
            return tuple(link for link in before if not _stands(user, link))
        del user.sessions[sid]
        return self._leave(user, sid, grace_ms) if not user.sessions else ()

    def _leave(self, user: User, sid: str, grace_ms: int) -> tuple[Link, ...]:
        links = tuple(user.links.values())
        user.left_ms, user.left_sid, user.left_links = self._memory.now_ms(), sid, links
        user.ends_ms = user.left_ms + FORGET_MS
        user.links.clear()
        if links:
            user.rev += 1
        if grace_ms > 0:
            user.ended.update({link.peer: Ended(link, user.left_ms + grace_ms, aside=False) for link in links})
        return links

    async def rename(self, uid: Uid, name: str, nick: str) -> None:
        await self._memory.reach()
        user = self._memory.user(uid)
        if user is not None and user.name:
            user.name, user.nick = name, nick

    async def standing(self, uid: Uid) -> Standing | None:
        await self._memory.reach()
        user = self._memory.user(uid)
        if user is None or not user.name:
            return None
        return Standing(user.name, user.nick, len(user.sessions), user.left_ms)


def _stands(user: User, link: Link) -> bool:
    stands = user.links.get(link.peer)
    return stands is not None and stands.connection == link.connection
