"""Invitations on Redis. A code and its inviter's list lie in two slots, so opening and settling are two steps each."""

from exchange.core.ids import Uid
from exchange.ports import ANYBODY, InviteWord, Peeked, Terms
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scripts import CLAIM_INVITE, CONFIRM_INVITE, ENLIST_INVITE, OPEN_INVITE, SETTLE_INVITE

EXPIRED_MS = 60_000
"""How long a record outlives its invitation, so that expired can be told from unknown (DEL-44)."""


class Invites:
    """Implements ``exchange.ports.Invites``."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def open(self, code: str, uid: Uid, *, life_ms: int, most: int, terms: Terms = ANYBODY) -> InviteWord:
        listed = self._keyspace.hash("code", code)
        # The list first: a crash between the two leaves an entry that runs out, not an invitation that nobody counted.
        place = await self._lane.ask_script(ENLIST_INVITE, (self._keyspace.invites(uid),), (listed, life_ms, most))
        if place == b"full":
            return InviteWord.FULL
        for_name = self._hashed(code, terms.for_name)
        word = await self._lane.ask_script(
            OPEN_INVITE,
            (self._keyspace.invite(code),),
            (uid, life_ms, life_ms + EXPIRED_MS, for_name, int(terms.confirm)),
        )
        if word == b"collision" and place == b"enlisted":
            await self._lane.ask("ZREM", self._keyspace.invites(uid), listed)
        return InviteWord(word.decode())

    async def peek(self, code: str, name: str) -> Peeked:
        seconds, micros = await self._lane.ask("TIME")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        uid, expires_ms, nonce, for_name, confirm, confirmed = await self._lane.ask(
            "HMGET", self._keyspace.invite(code), "uid", "expires_ms", "nonce", "for", "confirm", "confirmed"
        )
        if uid is None:
            return Peeked(InviteWord.UNKNOWN)
        word = InviteWord.OPEN
        if now_ms >= int(expires_ms):
            word = InviteWord.EXPIRED
        elif nonce is not None:
            word = InviteWord.BUSY
        redeemer = self._hashed(code, name).encode()
        return Peeked(word, uid.decode(), for_name in {b"", redeemer}, confirm == b"1" and confirmed != redeemer)

    async def confirm(self, code: str, uid: Uid, name: str) -> bool:
        word = await self._lane.ask_script(
            CONFIRM_INVITE, (self._keyspace.invite(code),), (uid, self._hashed(code, name))
        )
        return bool(word == b"confirmed")

    async def claim(self, code: str, redeemer: Uid, nonce: str, *, claim_ms: int) -> InviteWord:
        word = await self._lane.ask_script(CLAIM_INVITE, (self._keyspace.invite(code),), (redeemer, nonce, claim_ms))
        return InviteWord(word.decode())

    async def settle(self, code: str, uid: Uid, nonce: str, *, commit: bool) -> None:
        word = await self._lane.ask_script(SETTLE_INVITE, (self._keyspace.invite(code),), (uid, nonce, int(commit)))
        # A record that is gone may have been used up by the same call, whose reply was lost.
        if word in {b"used", b"gone"}:
            await self._lane.ask("ZREM", self._keyspace.invites(uid), self._keyspace.hash("code", code))

    def _hashed(self, code: str, name: str) -> str:
        """Return what is stored of a name, different for every code; nothing for no name."""
        return self._keyspace.hash("for", code, name) if name else ""
