"""Invitations in memory."""

from exchange.core.ids import Uid
from exchange.ports import ANYBODY, InviteWord, Peeked, Terms
from exchange.storage.memory.state import Invite, Memory

EXPIRED_MS = 60_000
"""How long a record outlives its invitation, so that expired can be told from unknown (DEL-44)."""


class Invites:
    """Implements ``exchange.ports.Invites``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def open(self, code: str, uid: Uid, *, life_ms: int, most: int, terms: Terms = ANYBODY) -> InviteWord:
        await self._memory.reach()
        now_ms = self._memory.now_ms()
        found = self._found(code)
        if found is not None and found.uid == uid and now_ms < found.expires_ms:
            return InviteWord.COLLISION if found.nonce or found.terms != terms else InviteWord.OPEN
        open_count = sum(invite.uid == uid and now_ms < invite.expires_ms for invite in self._memory.invites.values())
        if open_count >= most:
            return InviteWord.FULL
        if found is not None:
            return InviteWord.COLLISION
        self._memory.invites[code] = Invite(uid, now_ms + life_ms, terms)
        return InviteWord.OPEN

    async def peek(self, code: str, name: str) -> Peeked:
        await self._memory.reach()
        invite = self._found(code)
        if invite is None:
            return Peeked(InviteWord.UNKNOWN)
        word = InviteWord.OPEN
        if self._memory.now_ms() >= invite.expires_ms:
            word = InviteWord.EXPIRED
        elif invite.nonce:
            word = InviteWord.BUSY
        fits = invite.terms.for_name in {"", name}
        return Peeked(word, invite.uid, fits, invite.terms.confirm and invite.confirmed != name)

    async def confirm(self, code: str, uid: Uid, name: str) -> bool:
        await self._memory.reach()
        invite = self._found(code)
        if invite is None or invite.uid != uid or self._memory.now_ms() >= invite.expires_ms:
            return False
        invite.confirmed = name
        return True

    async def claim(self, code: str, redeemer: Uid, nonce: str, *, claim_ms: int) -> InviteWord:
        await self._memory.reach()
        invite = self._found(code)
        if invite is None:
            return InviteWord.UNKNOWN
        now_ms = self._memory.now_ms()
        lapsed = now_ms >= invite.claim_ends_ms
        if not lapsed and (invite.redeemer, invite.nonce) == (redeemer, nonce):
            return InviteWord.CLAIMED
        if now_ms >= invite.expires_ms:
            return InviteWord.EXPIRED
        if invite.nonce and not lapsed:
            return InviteWord.BUSY
        if invite.nonce and invite.redeemer != redeemer:
            return InviteWord.UNKNOWN
        invite.redeemer, invite.nonce, invite.claim_ends_ms = redeemer, nonce, now_ms + claim_ms
        return InviteWord.CLAIMED

    async def settle(self, code: str, uid: Uid, nonce: str, *, commit: bool) -> None:
        await self._memory.reach()
        invite = self._found(code)
        if invite is None or not invite.nonce or (invite.uid, invite.nonce) != (uid, nonce):
            return
        if commit:
            del self._memory.invites[code]
        else:
            invite.redeemer, invite.nonce, invite.claim_ends_ms = "", "", 0

    def _found(self, code: str) -> Invite | None:
        invite = self._memory.invites.get(code)
        if invite is not None and invite.expires_ms + EXPIRED_MS <= self._memory.now_ms():
            return None
        return invite
