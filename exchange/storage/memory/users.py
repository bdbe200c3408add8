"""Users and their sessions in memory."""

from dataclasses import replace

from exchange.core.ids import Uid
from exchange.core.model import Link, MailState, Presence, Profile, Standing
from exchange.core.wakes import Replaced
from exchange.ports import Closed, Opened
from exchange.storage.memory.state import Box, Ended, Memory, Opening, User

FORGET_MS = 3_600_000
"""How long a user without belongings is known after its last session."""


class Users:
    """Implements ``exchange.ports.Users``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def open(self, presence: Presence, profile: Profile, *, takeover: bool = False) -> Opened:
        await self._memory.reach()
        user = self._memory.user(presence.uid)
        if user is None:
            user = self._memory.users[presence.uid] = User()
        opening = user.sessions.get(presence.sid)
        # A repeat changes nothing. From another node it is no repeat: the session goes on there after a fence (DEL-27).
        if opening is None or opening.node != presence.node:
            opening = self._enter(user, presence, profile)
            if takeover:
                self._replace(user, presence)
        box = self._box(presence.uid)
        mail = MailState(box.epoch, box.last, box.acked, len(box.letters))
        links = tuple(user.links.values())
        return Opened(opening.generation, user.rev, links, opening.restored, opening.waiting, mail)

    def _enter(self, user: User, presence: Presence, profile: Profile) -> Opening:
        now_ms = self._memory.now_ms()
        # A link that stands meanwhile is younger than the one that was kept.
        back = [kept for kept in user.ended.values() if kept.ends_ms > now_ms and kept.link.peer not in user.links]
        # They count as made now and keep their order among themselves.
        for kept in sorted(back, key=lambda kept: (kept.link.made, kept.ends_ms, kept.link.peer)):
            user.rev += 1
            user.links[kept.link.peer] = replace(kept.link, made=user.rev)
        opening = Opening(
            presence.node,
            self._next_generation(user),
            frozenset(kept.link.peer for kept in back),
            frozenset(user.unseen).union(kept.link.peer for kept in back if kept.aside),
        )
        user.ended.clear()
        user.unseen.clear()
        user.profile = profile
        user.left_ms = user.ends_ms = 0
        if user.left_sid == presence.sid:
            # This session goes on: its end was none.
            user.left_sid = ""
        user.sessions[presence.sid] = opening
        return opening

    def _replace(self, user: User, presence: Presence) -> None:
        if len(user.sessions) > 1:
            user.sessions = {presence.sid: user.sessions[presence.sid]}
            self._memory.publish(presence.uid, Replaced(presence.sid))

    async def close(self, uid: Uid, sid: str, *, grace_ms: int) -> Closed:
        await self._memory.reach()
        user = self._memory.user(uid)
        if user is None:
            return Closed()
        if user.sessions.pop(sid, None) is not None and not user.sessions:
            self._leave(uid, user, sid, grace_ms)
        if user.left_sid != sid:
            return Closed()
        ended = tuple(link for link in user.left_links if not _stands(user, link))
        staying = tuple(link for link in user.links.values() if link.persist)
        letters = self._box(uid).letters
        until_ms = letters[0].until_ms if letters else 0
        return Closed(ended, staying, user.left_stamp, self._belongings(uid, user), until_ms)

    def _leave(self, uid: Uid, user: User, sid: str, grace_ms: int) -> None:
        plain = tuple(link for link in user.links.values() if not link.persist)
        user.left_ms, user.left_sid, user.left_links = self._memory.now_ms(), sid, plain
        user.left_stamp = self._next_generation(user)
        for link in plain:
            del user.links[link.peer]
            user.unseen.discard(link.peer)
        if plain:
            user.rev += 1
        if grace_ms > 0:
            user.ended.update({link.peer: Ended(link, user.left_ms + grace_ms, aside=False) for link in plain})
        user.ends_ms = 0 if self._belongings(uid, user) else user.left_ms + FORGET_MS

    async def displaced(self, uid: Uid, sid: str) -> bool:
        await self._memory.reach()
        user = self._memory.user(uid)
        return user is not None and bool(user.sessions) and sid not in user.sessions

    async def describe(self, uid: Uid, profile: Profile, *, generation: int) -> None:
        await self._memory.reach()
        user = self._memory.user(uid)
        if user is not None and user.profile is not None and user.generation <= generation:
            user.profile = profile

    async def standing(self, uid: Uid) -> Standing | None:
        await self._memory.reach()
        user = self._memory.user(uid)
        if user is None or user.profile is None:
            return None
        name, nick, features = user.profile.name, user.profile.nick, user.profile.features
        return Standing(name, nick, len(user.sessions), user.left_ms, features, self._belongings(uid, user))

    def _next_generation(self, user: User) -> int:
        user.generation = max(self._memory.now_ms() * 1000, user.generation + 1)
        return user.generation

    def _belongings(self, uid: Uid, user: User) -> bool:
        return bool(self._box(uid).letters) or any(link.persist for link in user.links.values())

    def _box(self, uid: Uid) -> Box:
        return self._memory.boxes.get(uid) or Box()


def _stands(user: User, link: Link) -> bool:
    stands = user.links.get(link.peer)
    return stands is not None and stands.connection == link.connection
