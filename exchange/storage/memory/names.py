"""Names in memory."""

from dataclasses import replace

from exchange.core.ids import Uid
from exchange.core.model import Presence
from exchange.ports import Claim, ClaimWord
from exchange.storage.memory.state import Memory, Name

_REFUSALS = frozenset({ClaimWord.WRONG, ClaimWord.TAKEN, ClaimWord.GUARDED})


class Names:
    """Implements ``exchange.ports.Names``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

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
        await self._memory.reach()
        found = self._found(name, presence.dialect) or Name("", "", "", "")
        held = bool(found.holder) and found.holder != evict
        proved = bool(proof) and proof in {found.token, found.before}
        word = ClaimWord.FRESH
        if proof and not proved:
            word = ClaimWord.WRONG
        elif found.holder == presence.sid:
            word = ClaimWord.SAME
        elif held and not (proved and takeover):
            word = ClaimWord.TAKEN
        elif proved:
            word = ClaimWord.RESUMED
        elif found.token and found.uid != forfeit:
            word = ClaimWord.GUARDED
        elif _in_grace(found, presence) and not keep_uid:
            word = ClaimWord.GRACE
        if word in _REFUSALS:
            return Claim(word, found.uid, found.holder, found.node)
        uid = presence.uid if word is ClaimWord.FRESH else found.uid
        tokens = _tokens(found, word, proof, token)
        self._memory.names[presence.dialect, name] = Name(
            uid, presence.sid, presence.node, presence.address, 0, *tokens
        )
        return Claim(word, uid, found.holder, found.node) if word is ClaimWord.RESUMED else Claim(word, uid)

    async def release(self, name: str, dialect: str, sid: str, *, grace_ms: int, keep_ms: int = 0) -> bool:
        await self._memory.reach()
        found = self._found(name, dialect)
        if found is None or found.holder != sid:
            return False
        kept_ms = keep_ms if found.token else grace_ms
        if found.token or kept_ms > 0:
            ends_ms = self._memory.now_ms() + kept_ms if kept_ms > 0 else 0
            self._memory.names[dialect, name] = replace(found, holder="", node="", ends_ms=ends_ms)
        else:
            del self._memory.names[dialect, name]
        return True

    async def forget(self, name: str, dialect: str, sid: str) -> bool:
        await self._memory.reach()
        found = self._found(name, dialect)
        if found is None or found.holder != sid:
            return False
        del self._memory.names[dialect, name]
        return True

    async def keep(self, name: str, dialect: str, uid: Uid) -> bool:
        await self._memory.reach()
        found = self._found(name, dialect)
        if found is None or found.uid != uid or found.holder or not found.token:
            return False
        found.ends_ms = 0
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


def _in_grace(found: Name, presence: Presence) -> bool:
    return bool(found.uid) and not found.holder and not found.token and found.address == presence.address


def _tokens(found: Name, word: ClaimWord, proof: str, token: str) -> tuple[str, str]:
    """Return the newest token and the one before, which is good until the newest was used."""
    if token:
        return token, proof
    if word is ClaimWord.FRESH:
        return "", ""
    return found.token, "" if proof == found.token else found.before
