"""First replies on Redis: one string a message id, ``?``, digest and session while pending, ``=``, digest and reply after."""

from exchange.core.errors import IdReused
from exchange.core.ids import Uid
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scripts import DROP_REPLY, KEEP_REPLY, RESERVE

KEEP_MS = 600_000


class Repeats:
    """Implements ``exchange.ports.Repeats`` (MAGI-45)."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def reserve(self, uid: Uid, id_: str, sid: str, digest: str) -> bytes | None:
        word, reply = await self._lane.ask_script(RESERVE, (self._keyspace.done(uid, id_),), (sid, digest, KEEP_MS))
        if word == b"reused":
            raise IdReused
        return bytes(reply) if word == b"kept" else None

    async def keep(self, uid: Uid, id_: str, sid: str, digest: str, reply: bytes) -> None:
        await self._lane.ask_script(KEEP_REPLY, (self._keyspace.done(uid, id_),), (sid, digest, reply, KEEP_MS))

    async def drop(self, uid: Uid, id_: str, sid: str) -> None:
        await self._lane.ask_script(DROP_REPLY, (self._keyspace.done(uid, id_),), (sid,))
