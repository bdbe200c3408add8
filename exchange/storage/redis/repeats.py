"""First replies on Redis: one string a message id, ``?`` and the session while pending, ``=`` and the reply after."""

from exchange.core.ids import Uid
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scripts import RESERVE

KEEP_MS = 600_000
_KEPT = b"kept"


class Repeats:
    """Implements ``exchange.ports.Repeats`` (MAGI-45)."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def reserve(self, uid: Uid, id_: str, sid: str) -> bytes | None:
        word, reply = await self._lane.ask_script(RESERVE, (self._keyspace.done(uid, id_),), (sid, KEEP_MS))
        return bytes(reply) if word == _KEPT else None

    async def keep(self, uid: Uid, id_: str, reply: bytes) -> None:
        await self._lane.ask("SET", self._keyspace.done(uid, id_), b"=" + reply, "PX", KEEP_MS)

    async def drop(self, uid: Uid, id_: str) -> None:
        await self._lane.ask("DEL", self._keyspace.done(uid, id_))
