"""First replies in memory: ``?`` and the session while pending, ``=`` and the reply after."""

from exchange.core.ids import Uid
from exchange.storage.memory.state import Memory

KEEP_MS = 600_000


class Repeats:
    """Implements ``exchange.ports.Repeats``."""

    def __init__(self, state: Memory) -> None:
        self._state = state

    async def reserve(self, uid: Uid, id_: str, sid: str) -> bytes | None:
        await self._state.reach()
        value, ends_ms = self._state.replies.get((uid, id_), (b"", 0))
        if value.startswith(b"=") and self._state.now_ms() < ends_ms:
            return value[1:]
        self._put(uid, id_, b"?" + sid.encode())
        return None

    async def keep(self, uid: Uid, id_: str, reply: bytes) -> None:
        await self._state.reach()
        self._put(uid, id_, b"=" + reply)

    async def drop(self, uid: Uid, id_: str) -> None:
        await self._state.reach()
        self._state.replies.pop((uid, id_), None)

    def _put(self, uid: Uid, id_: str, value: bytes) -> None:
        self._state.replies[uid, id_] = (value, self._state.now_ms() + KEEP_MS)
