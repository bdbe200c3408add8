"""What has to happen when mail ended without being delivered, whoever sees to it: a worker, or the node that parked it.

The store ends mail in one step and remembers it until its sender was told. A notice to the sender is mail itself, and the
sender's mailbox knows a repeat. So the whole may be repeated, interrupted and repeated, or done by two at the same time;
each sender still hears once of each message (DEL-38).
"""

import asyncio
from collections.abc import Sequence

from exchange.core.ids import Uid
from exchange.core.model import NOTICES, Envelope, Fate, Kind, Undelivered
from exchange.ports import Store, StoredWord

NOTICE_KINDS = {Fate.EXPIRED: Kind.EXPIRED, Fate.PARKED: Kind.PARKED}
"""What a sender is told; of other fates nobody is."""

AGAIN_MS = 60_000
"""When a worker looks again after whom could not be told, or after whoever began to tell and died."""


async def tell_fates(store: Store, uid: Uid, *, ttl_ms: int) -> int:
    """Tell the senders of ``uid``'s mail that ended; return how many notices found no room and are still to be given.

    A notice names the message in ``reply_to``. Its own ``id`` is made of the fate and the offset, the same at every
    repeat. Whoever is not known any more is not told, and notices cause no notices.

    Args:
        store: The store.
        uid: Whose mail it was.
        ttl_ms: For how long a notice waits for the sender.

    Raises:
        StorageUnavailable: Not finished; call again. If nobody does, a worker finishes it.
    """
    while ended := await store.mailboxes.ended(uid):
        # First of all: whoever is killed from here on leaves a trace.
        await store.dues.note(uid, store.clock.now_ms() + AGAIN_MS)
        told = _Teller(store, uid, store.clock.now_ms() + ttl_ms)
        senders: dict[Uid, list[Undelivered]] = {}
        for one in ended:
            senders.setdefault(one.sender, []).append(one)
        untold_count = sum(await asyncio.gather(*(told.tell(*each) for each in senders.items())))
        if untold_count:
            return untold_count
    return 0


class _Teller:
    """Tells of what ended in one mailbox."""

    def __init__(self, store: Store, uid: Uid, until_ms: int) -> None:
        self._store = store
        self._uid = uid
        self._until_ms = until_ms

    async def tell(self, sender: Uid, ended: Sequence[Undelivered]) -> int:
        """Tell one sender, in order; return how much of it found no room."""
        known = await self._store.users.standing(sender) is not None
        name, nick = await self._names(sender)
        for count, one in enumerate(ended):
            if known and one.kind not in NOTICES and one.fate in NOTICE_KINDS:
                word = await self._store.mailboxes.post(sender, self._notice(one, name, nick), self._until_ms)
                if word is StoredWord.FULL:
                    return len(ended) - count
                # A notice that is never fetched expires as other mail does.
                await self._store.dues.note(sender, self._until_ms)
            await self._store.mailboxes.told(self._uid, one.offset)
        return 0

    async def _names(self, sender: Uid) -> tuple[str, str]:
        """Return what the sender calls the recipient. Who is no friend any more learns no new name."""
        _, links = await self._store.links.table(sender)
        return next(((link.name, link.nick) for link in links if link.peer == self._uid), ("", ""))

    def _notice(self, one: Undelivered, name: str, nick: str) -> Envelope:
        return Envelope(
            NOTICE_KINDS[one.fate],
            self._uid,
            connection="",
            deadline_ms=0,
            accepted_ms=self._store.clock.now_ms(),
            body=b"",
            id=f"{one.fate.value}:{one.offset}",
            reply_to=one.id,
            name=name,
            nick=nick,
        )
