"""Mailboxes on Redis: one stream a user, and one script for each thing that happens to it."""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Protocol

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import NOWHERE, Offset, Uid, order
from exchange.core.model import NOTICES, Envelope, Kind, Letter, MailState, Undelivered
from exchange.ports import Caps, MailReceipt, Page, StoredWord
from exchange.storage.parcel import digest, pack
from exchange.storage.redis.connection import Done, resolve
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.letters import unpack_fate, unpack_letter
from exchange.storage.redis.resp import Word, answer
from exchange.storage.redis.scripts import ACK, APPEND, ATTEMPT, EXPIRE, PURGE, READ_MAIL, TRIM_PARKED, Script

BOXES_CACHED = 65_536
ENDED_COUNT = 256
PURGE_COUNT = 64
"""How many letters one step of a purge looks at."""
_STORED = {word.value.encode(): word for word in StoredWord}


class Committer(Protocol):
    """Runs a script and calls back once its effect is as safe as accepted mail has to be (DEL-2)."""

    def call(self, script: Script, keys: Sequence[str], args: Sequence[Word], done: Done) -> None:
        """As ``Lane.run``."""


class Mailboxes:
    """Implements ``exchange.ports.Mailboxes`` (DEL-36 to DEL-38, DEL-41)."""

    def __init__(self, lane: Lane, keyspace: Keyspace, caps: Caps, committer: Committer | None = None) -> None:
        """Append through ``committer``, by default the lane: then mail is accepted once the primary has it."""
        self._lane = lane
        self._keyspace = keyspace
        self._commit = committer.call if committer is not None else lane.run
        self._terms = {kind: _terms(kind, caps) for kind in Kind}
        self._box = lru_cache(BOXES_CACHED)(
            lambda uid: (
                keyspace.links(uid),
                keyspace.meta(uid),
                keyspace.mailbox(uid),
                keyspace.shares(uid),
                keyspace.seen(uid, 0),
                keyspace.seen(uid, 1),
                keyspace.wake(uid),
            )
        )
        self.unknown_records = 0
        """Letters and fates of a newer release that were left alone."""

    def append(self, uid: Uid, envelope: Envelope, until_ms: int, receipt: MailReceipt) -> None:
        self._append(uid, envelope, until_ms, partial(_file, receipt))

    async def post(self, uid: Uid, envelope: Envelope, until_ms: int) -> StoredWord:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._append(uid, envelope, until_ms, partial(resolve, future))
        return _STORED[answer(await future).partition(b" ")[0]]

    def _append(self, uid: Uid, envelope: Envelope, until_ms: int, done: Done) -> None:
        parcel, what = pack(envelope), digest(envelope)
        terms = self._terms[Kind(envelope.kind)]
        self._commit(APPEND, self._box(uid), (envelope.sender, envelope.id, parcel, what, until_ms, terms), done)

    async def state(self, uid: Uid) -> tuple[MailState, int]:
        *state, rev = await self._lane.ask("HMGET", self._keyspace.meta(uid), "epoch", "last", "acked", "count", "lrev")
        return _state(state), int(rev or 0)

    async def knows(self, uid: Uid, sender: Uid, id_: str) -> bool:
        seen = (self._keyspace.seen(uid, generation) for generation in (0, 1))
        return any(await asyncio.gather(*(self._lane.ask("HEXISTS", key, f"{sender}:{id_}") for key in seen)))

    async def read(self, uid: Uid, after: Offset, *, count: int, bytes_: int) -> Page:
        """Return mail after an offset. A letter of a newer release ends the mailbox: what is behind must not overtake it."""
        keys = (self._keyspace.meta(uid), self._keyspace.mailbox(uid))
        state, entries, more = await self._lane.ask_script(READ_MAIL, keys, (after, count, bytes_))
        letters: list[Letter] = []
        for entry in entries:
            letter = unpack_letter(entry)
            if letter is None:
                self.unknown_records += 1
                known = letters[-1].offset if letters else after
                return Page(replace(_state(state), last=known), tuple(letters), more=False)
            letters.append(letter)
        return Page(_state(state), tuple(letters), bool(more))

    async def ack(self, uid: Uid, upto: Offset, epoch: str) -> bool:
        order(upto)
        space = self._keyspace
        keys = (space.meta(uid), space.mailbox(uid), space.shares(uid), space.tries(uid))
        word = await self._lane.ask_script(ACK, keys, (upto, epoch))
        return bool(word == b"acked")

    async def attempt(self, uid: Uid, offset: Offset, *, most: int) -> int:
        space = self._keyspace
        keys = (
            space.meta(uid),
            space.mailbox(uid),
            space.shares(uid),
            space.tries(uid),
            space.parked(uid),
            space.fates(uid),
        )
        return int(await self._lane.ask_script(ATTEMPT, keys, (offset, most)))

    async def expire(self, uid: Uid, *, sid: str = "", count: int = 256) -> int:
        space = self._keyspace
        keys = (
            space.user(uid),
            space.meta(uid),
            space.mailbox(uid),
            space.sessions(uid),
            space.links(uid),
            space.shares(uid),
            space.tries(uid),
            space.fates(uid),
        )
        return int(await self._lane.ask_script(EXPIRE, keys, (sid, count)))

    async def purge(self, uid: Uid, sender: Uid) -> int:
        space = self._keyspace
        keys = (space.meta(uid), space.mailbox(uid), space.shares(uid), space.tries(uid))
        purged, after = 0, NOWHERE
        # In pages: a whole mailbox would hold the server up. What is stored meanwhile lies ahead and goes, too.
        while after:
            count, place = await self._lane.ask_script(PURGE, keys, (sender, after, PURGE_COUNT))
            purged, after = purged + count, place.decode()
        return purged

    async def ended(self, uid: Uid) -> tuple[Undelivered, ...]:
        flat = await self._lane.ask("HRANDFIELD", self._keyspace.fates(uid), ENDED_COUNT, "WITHVALUES")
        ended = [unpack_fate(offset, record) for offset, record in zip(flat[::2], flat[1::2], strict=True)]
        known = [fate for fate in ended if fate is not None]
        self.unknown_records += len(ended) - len(known)
        return tuple(sorted(known, key=lambda fate: order(fate.offset)))

    async def told(self, uid: Uid, offset: Offset) -> None:
        await self._lane.ask("HDEL", self._keyspace.fates(uid), offset)

    async def trim_parked(self, uid: Uid, *, before_ms: int) -> int:
        return int(await self._lane.ask_script(TRIM_PARKED, (self._keyspace.parked(uid),), (before_ms,)))


def _terms(kind: Kind, caps: Caps) -> bytes:
    """Pack what the script has to know beside the envelope: nine numbers, because that is the quickest for it to read."""
    return struct.pack(
        "<9d",
        kind,
        kind not in NOTICES,
        caps.count,
        caps.bytes,
        caps.count * caps.share_percent // 100,
        caps.bytes * caps.share_percent // 100,
        caps.inline_bytes,
        caps.dedupe_ms,
        caps.dedupe_count,
    )


def _file(receipt: MailReceipt, reply: object) -> None:
    if type(reply) is bytes:
        word, *place = reply.split()
        receipt.filed(_STORED[word], *((place[0].decode(), int(place[1])) if place else ("", 0)))
    elif isinstance(reply, StorageUnavailable):
        receipt.failed(reply)
    else:
        # Refused, so it did not run; unless the script met the error half-way.
        receipt.failed(StorageUnavailable(sent="script:" in str(reply)))


def _state(fields: Sequence[bytes | None]) -> MailState:
    epoch, last, acked, count = fields
    if epoch is None or last is None or acked is None:
        return MailState()
    return MailState(epoch.decode(), last.decode(), acked.decode(), int(count or 0))
