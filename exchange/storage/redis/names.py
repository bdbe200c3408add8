"""Names on Redis: one hash a name, one script a step."""

from exchange.core.ids import Uid
from exchange.core.model import Presence
from exchange.ports import Claim, ClaimWord
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scripts import CLAIM_NAME, RELEASE_NAME


class Names:
    """Implements ``exchange.ports.Names``. Neither a name nor an address is stored, only keyed hashes of them."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def claim(self, name: str, presence: Presence, *, keep_uid: bool = False, evict: str = "") -> Claim:
        address = self._keyspace.hash("address", presence.address)
        word, uid, holder, node = await self._lane.ask_script(
            CLAIM_NAME,
            (self._keyspace.name(presence.dialect, name),),
            (presence.uid, presence.sid, presence.node, address, int(keep_uid), evict),
        )
        return Claim(ClaimWord(word.decode()), uid.decode(), holder.decode(), node.decode())

    async def release(self, name: str, dialect: str, sid: str, *, grace_ms: int) -> bool:
        word = await self._lane.ask_script(
            RELEASE_NAME,
            (self._keyspace.name(dialect, name),),
            (sid, grace_ms),
        )
        return bool(word == b"released")

    async def find(self, name: str, dialect: str) -> Uid | None:
        uid, holder = await self._lane.ask("HMGET", self._keyspace.name(dialect, name), "uid", "holder")
        return uid.decode() if holder else None
