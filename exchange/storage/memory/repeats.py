"""First replies in memory."""

from exchange.core.errors import IdReused
from exchange.core.ids import Uid
from exchange.storage.memory.state import Memory, Reservation

KEEP_MS = 600_000


class Repeats:
    """Implements ``exchange.ports.Repeats``."""

    def __init__(self, state: Memory) -> None:
        self._state = state

    async def reserve(self, uid: Uid, id_: str, sid: str, digest: str) -> bytes | None:
        await self._state.reach()
        found = self._found(uid, id_)
        if found is not None and found.digest != digest:
            raise IdReused
        if found is not None and found.reply is not None:
            return found.reply
        self._put(uid, id_, sid, digest)
        return None

    async def keep(self, uid: Uid, id_: str, sid: str, digest: str, reply: bytes) -> None:
        await self._state.reach()
        found = self._found(uid, id_)
        if found is not None and found.reply is None and (found.sid, found.digest) == (sid, digest):
            self._put(uid, id_, sid, digest, reply)

    async def drop(self, uid: Uid, id_: str, sid: str) -> None:
        await self._state.reach()
        found = self._found(uid, id_)
        if found is not None and found.reply is None and found.sid == sid:
            del self._state.replies[uid, id_]

    def _found(self, uid: Uid, id_: str) -> Reservation | None:
        found = self._state.replies.get((uid, id_))
        return found if found is not None and self._state.now_ms() < found.ends_ms else None

    def _put(self, uid: Uid, id_: str, sid: str, digest: str, reply: bytes | None = None) -> None:
        self._state.replies[uid, id_] = Reservation(sid, digest, self._state.now_ms() + KEEP_MS, reply)
