"""Mailboxes in memory."""

import asyncio
from collections.abc import Callable

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import NOWHERE, Offset, Uid, order
from exchange.core.model import NOTICES, Envelope, Fate, Letter, MailState, Undelivered
from exchange.core.wakes import Mail
from exchange.ports import Caps, MailReceipt, Page, StoredWord
from exchange.storage.memory.state import Box, Memory, Seen
from exchange.storage.memory.users import FORGET_MS
from exchange.storage.parcel import digest, pack

ENDED_COUNT = 256
AGAIN_MS = 60_000
"""When mail is to be looked at again that only a session may end."""


class Mailboxes:
    """Implements ``exchange.ports.Mailboxes``."""

    def __init__(self, memory: Memory, caps: Caps) -> None:
        self._memory = memory
        self._caps = caps

    def append(self, uid: Uid, envelope: Envelope, until_ms: int, receipt: MailReceipt) -> None:
        # As through a socket: nothing is called from within.
        loop = asyncio.get_running_loop()
        if self._memory.down:
            loop.call_soon(receipt.failed, StorageUnavailable(sent=False))
        else:
            loop.call_soon(receipt.filed, *self._append(uid, envelope, until_ms))

    async def post(self, uid: Uid, envelope: Envelope, until_ms: int) -> StoredWord:
        await self._memory.reach()
        return self._append(uid, envelope, until_ms)[0]

    def _append(self, uid: Uid, envelope: Envelope, until_ms: int) -> tuple[StoredWord, Offset, int]:
        user = self._memory.user(uid)
        if envelope.kind not in NOTICES and (user is None or envelope.sender not in user.links):
            return StoredWord.NOT_LINKED, "", 0
        box = self._memory.boxes.setdefault(uid, Box())
        what = digest(envelope)
        before = self._repeated(box, envelope)
        if before is not None:
            if before.digest != what:
                return StoredWord.CONFLICT, "", 0
            return StoredWord.DUPLICATE, before.offset, before.nodes_count
        if not until_ms:
            return StoredWord.LATE, "", 0
        size_bytes = len(pack(envelope))
        if self._full(box, envelope.sender, size_bytes):
            return StoredWord.FULL, "", 0
        now_ms = self._memory.now_ms()
        box.epoch = box.epoch or str(now_ms * 1000)
        prev, box.last = box.last, _next(box.last, now_ms)
        box.letters.append(Letter(box.last, envelope, until_ms, size_bytes))
        inline = envelope if size_bytes <= self._caps.inline_bytes else None
        nodes_count = self._memory.publish(uid, Mail(box.epoch, prev, box.last, inline))
        if envelope.id:
            box.seen[envelope.sender, envelope.id] = Seen(box.last, what, nodes_count, now_ms)
        return StoredWord.STORED, box.last, nodes_count

    def _repeated(self, box: Box, envelope: Envelope) -> Seen | None:
        """Return what is known of this sender's message id; forget what is too old."""
        horizon_ms = self._memory.now_ms() - self._caps.dedupe_ms
        while box.seen and (oldest := next(iter(box.seen))) and box.seen[oldest].at_ms < horizon_ms:
            del box.seen[oldest]
        return box.seen.get((envelope.sender, envelope.id))

    def _full(self, box: Box, sender: Uid, size_bytes: int) -> bool:
        caps = self._caps
        sizes = [letter.size_bytes for letter in box.letters]
        if len(sizes) + 1 > caps.count or sum(sizes) + size_bytes > caps.bytes:
            return True
        share = [letter.size_bytes for letter in box.letters if letter.envelope.sender == sender]
        # One letter may always wait, or a large one could never be sent.
        return bool(share) and (
            len(share) + 1 > caps.count * caps.share_percent // 100
            or sum(share) + size_bytes > caps.bytes * caps.share_percent // 100
        )

    async def state(self, uid: Uid) -> tuple[MailState, int]:
        await self._memory.reach()
        user = self._memory.user(uid)
        return _state(self._box(uid)), user.rev if user is not None else 0

    async def knows(self, uid: Uid, sender: Uid, id_: str) -> bool:
        await self._memory.reach()
        return (sender, id_) in self._box(uid).seen

    async def read(self, uid: Uid, after: Offset, *, count: int, bytes_: int) -> Page:
        await self._memory.reach()
        box = self._box(uid)
        behind = [letter for letter in box.letters if order(letter.offset) > order(after)]
        page: list[Letter] = []
        for letter in behind:
            used_bytes = sum(one.size_bytes for one in page)
            if len(page) == count or (page and used_bytes + letter.size_bytes > bytes_):
                break
            page.append(letter)
        return Page(_state(box), tuple(page), len(page) < len(behind))

    async def ack(self, uid: Uid, upto: Offset, epoch: str) -> bool:
        await self._memory.reach()
        box = self._box(uid)
        if box.epoch != epoch:
            return False
        if order(upto) > order(box.acked):
            box.acked = min(upto, box.last, key=order)
            self._remove(box, lambda letter: order(letter.offset) <= order(upto))
        return True

    async def attempt(self, uid: Uid, offset: Offset, *, most: int) -> int:
        await self._memory.reach()
        box = self._box(uid)
        letter = next((letter for letter in box.letters if letter.offset == offset), None)
        if letter is None:
            return 0
        tries = box.tries.get(offset, 0) + 1
        if tries <= most:
            box.tries[offset] = tries
            return tries
        self._remove(box, lambda letter: letter.offset == offset)
        last = box.parked[-1].offset if box.parked else NOWHERE
        box.parked.append(letter._replace(offset=_next(last, self._memory.now_ms())))
        _note_fate(box, letter, Fate.PARKED)
        return 0

    async def expire(self, uid: Uid, *, sid: str = "", count: int = 256) -> int:
        await self._memory.reach()
        box, user, now_ms = self._box(uid), self._memory.user(uid), self._memory.now_ms()
        if user is not None and user.sessions and sid not in user.sessions:
            return now_ms + AGAIN_MS
        looked_at = box.letters[:count]
        old = [letter for letter in looked_at if letter.until_ms <= now_ms]
        self._remove(box, lambda letter: letter in old)
        for letter in old:
            _note_fate(box, letter, Fate.EXPIRED)
        if old and not box.letters and user is not None and not user.sessions and not user.links:
            user.ends_ms = now_ms + FORGET_MS
        if len(old) < len(looked_at):
            return min(letter.until_ms for letter in looked_at if letter not in old)
        return now_ms if box.letters else 0

    async def purge(self, uid: Uid, sender: Uid) -> int:
        await self._memory.reach()
        return self._remove(self._box(uid), lambda letter: letter.envelope.sender == sender)

    async def ended(self, uid: Uid) -> tuple[Undelivered, ...]:
        await self._memory.reach()
        fates = self._box(uid).fates.values()
        return tuple(sorted(fates, key=lambda fate: order(fate.offset))[:ENDED_COUNT])

    async def told(self, uid: Uid, offset: Offset) -> None:
        await self._memory.reach()
        self._box(uid).fates.pop(offset, None)

    async def trim_parked(self, uid: Uid, *, before_ms: int) -> int:
        await self._memory.reach()
        box = self._box(uid)
        kept = [letter for letter in box.parked if order(letter.offset)[0] >= before_ms]
        count = len(box.parked) - len(kept)
        box.parked = kept
        return count

    def _box(self, uid: Uid) -> Box:
        """Return a mailbox; where there is none, an empty one that nobody keeps."""
        return self._memory.boxes.get(uid) or Box()

    def _remove(self, box: Box, gone: Callable[[Letter], bool]) -> int:
        """Remove letters with what was counted for them; return how many."""
        kept = [letter for letter in box.letters if not gone(letter)]
        count = len(box.letters) - len(kept)
        box.letters = kept
        box.tries = {letter.offset: box.tries[letter.offset] for letter in kept if letter.offset in box.tries}
        return count


def _state(box: Box) -> MailState:
    return MailState(box.epoch, box.last, box.acked, len(box.letters))


def _next(last: Offset, now_ms: int) -> Offset:
    """Return the offset after ``last``, at this moment or later if the clock went back."""
    last_ms, number = order(last)
    return f"{now_ms}-0" if now_ms > last_ms else f"{last_ms}-{number + 1}"


def _note_fate(box: Box, letter: Letter, fate: Fate) -> None:
    """Have the sender told, unless the letter is itself about other mail."""
    kind, sender = letter.envelope.kind, letter.envelope.sender
    if kind not in NOTICES:
        box.fates[letter.offset] = Undelivered(letter.offset, fate, kind, sender, letter.envelope.id)
