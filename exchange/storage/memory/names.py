"""Names in memory."""

from exchange.core.ids import Uid
from exchange.core.model import Presence
from exchange.ports import Claim, ClaimWord
from exchange.storage.memory.state import Memory, Name


class Names:
    """Implements ``exchange.ports.Names``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def claim(self, name: str, presence: Presence, *, keep_uid: bool = False, evict: str = "") -> Claim:
        await self._memory.reach()
        found = self._found(name, presence.dialect)
        word, uid = ClaimWord.FRESH, presence.uid
        if found is not None and found.holder == presence.sid:
            word, uid = ClaimWord.SAME, found.uid
        elif found is not None and found.holder and found.holder != evict:
            return Claim(ClaimWord.TAKEN, found.uid, found.holder, found.node)
        elif found is not None and not found.holder and found.address == presence.address and not keep_uid:
            word, uid = ClaimWord.GRACE, found.uid
        self._memory.names[presence.dialect, name] = Name(uid, presence.sid, presence.node, presence.address)
        return Claim(word, uid)

    async def release(self, name: str, dialect: str, sid: str, *, grace_ms: int) -> bool:
        await self._memory.reach()
        found = self._found(name, dialect)
        if found is None or found.holder != sid:
            return False
        if grace_ms > 0:
            ends_ms = self._memory.now_ms() + grace_ms
            self._memory.names[dialect, name] = Name(found.uid, "", "", found.address, ends_ms)
        else:
            del self._memory.names[dialect, name]
        return True

    async def find(self, name: str, dialect: str) -> Uid | None:
        await self._memory.reach()
        found = self._found(name, dialect)
        return found.uid if found is not None and found.holder else None

    def _found(self, name: str, dialect: str) -> Name | None:
        found = self._memory.names.get((dialect, name))
        if found is not None and 0 < found.ends_ms <= self._memory.now_ms():
            return None
        return found
