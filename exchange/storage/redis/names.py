"""Names on Redis: one hash a name, one script a step."""

from exchange.core.ids import Uid
from exchange.core.model import Presence
from exchange.ports import Claim, ClaimWord
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.records import pack_array
from exchange.storage.redis.scripts import CLAIM_NAME, FORGET_NAME, KEEP_NAME, RELEASE_NAME


class Names:
    """Implements ``exchange.ports.Names``. No name, address or token is stored, only keyed hashes of them."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def claim(
        self,
        name: str,
        presence: Presence,
        *,
        keep_uid: bool = False,
        evict: str = "",
        proof: str = "",
        takeover: bool = True,
        forfeit: Uid = "",
        token: str = "",
    ) -> Claim:
        address = self._keyspace.hash("address", presence.address)
        claimant = pack_array(presence.uid, presence.sid, presence.node, address)
        rules = pack_array(keep_uid, takeover, evict, forfeit)
        word, uid, holder, node = await self._lane.ask_script(
            CLAIM_NAME,
            (self._keyspace.name(presence.dialect, name),),
            (claimant, rules, self._hashed(proof), self._hashed(token)),
        )
        return Claim(ClaimWord(word.decode()), uid.decode(), holder.decode(), node.decode())

    async def release(self, name: str, dialect: str, sid: str, *, grace_ms: int, keep_ms: int = 0) -> bool:
        word = await self._lane.ask_script(
            RELEASE_NAME,
            (self._keyspace.name(dialect, name),),
            (sid, grace_ms, keep_ms),
        )
        return bool(word == b"released")

    async def forget(self, name: str, dialect: str, sid: str) -> bool:
        word = await self._lane.ask_script(FORGET_NAME, (self._keyspace.name(dialect, name),), (sid,))
        return bool(word == b"forgotten")

    async def keep(self, name: str, dialect: str, uid: Uid) -> bool:
        word = await self._lane.ask_script(KEEP_NAME, (self._keyspace.name(dialect, name),), (uid,))
        return bool(word == b"kept")

    async def find(self, name: str, dialect: str) -> Uid | None:
        uid, holder = await self._lane.ask("HMGET", self._keyspace.name(dialect, name), "uid", "holder")
        return uid.decode() if holder else None

    def _hashed(self, token: str) -> str:
        """Return what is stored of a token; nothing for none."""
        return self._keyspace.hash("token", token) if token else ""
