"""Tables of links in memory."""

from dataclasses import replace

from exchange.core.ids import Uid
from exchange.core.model import Link
from exchange.core.wakes import Linked, Unlinked
from exchange.ports import Condition, Notice, Put, PutWord
from exchange.storage.memory.state import Ended, Memory, User


class Links:
    """Implements ``exchange.ports.Links``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def table(self, uid: Uid) -> tuple[int, tuple[Link, ...]]:
        await self._memory.reach()
        user = self._memory.user(uid)
        return (user.rev, tuple(user.links.values())) if user is not None else (0, ())

    async def put(
        self, uid: Uid, link: Link, *, notice: Notice = Notice.NONE, condition: Condition = Condition.ALWAYS
    ) -> Put:
        await self._memory.reach()
        user = self._user(uid)
        old = user.links.get(link.peer)
        if (condition is Condition.HERE and not user.sessions) or (
            condition is Condition.LINKED and (old is None or old.connection != link.connection)
        ):
            return Put(PutWord.ABSENT, link, user.rev, user.rev)
        prev = user.rev
        user.rev += 1
        made = old.made if old is not None and condition is Condition.LINKED else user.rev
        link = replace(link, connection=old.connection if old is not None else link.connection, made=made)
        user.links[link.peer] = link
        # What was kept for this peer is older than what stands now.
        user.ended.pop(link.peer, None)
        if notice is not Notice.NONE:
            announce = notice is Notice.ANNOUNCE
            names = link.name, link.nick, made, link.waiting
            self._memory.publish(uid, Linked(user.rev, prev, announce, link.peer, link.connection, *names))
        return Put(PutWord.ADDED if old is None else PutWord.KEPT, link, user.rev, prev)

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
        if keep_ms > 0:
            user.ended[peer] = Ended(link, self._memory.now_ms() + keep_ms, aside=False)
        self._memory.publish(uid, Unlinked(user.rev, prev, peer, connection))
        return True

    def _user(self, uid: Uid) -> User:
        """Return the user; one that is unknown gets an empty table."""
        return self._memory.user(uid) or self._memory.users.setdefault(uid, User())
