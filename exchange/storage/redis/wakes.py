"""The channels of users on Redis: one PUBLISH a send, one subscription a user and node."""

from functools import lru_cache, partial

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.core.model import Envelope
from exchange.ports import Listener, Receipt
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.records import pack_envelope, unpack_wake

CHANNELS_CACHED = 65_536


class Wakes:
    """Implements ``exchange.ports.Wakes``. No task, no future and no timer for a message (DEL-9)."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace
        self._channel = lru_cache(CHANNELS_CACHED)(lambda uid: keyspace.wake(uid).encode())
        self._uids: dict[bytes, Uid] = {}
        self._listener: Listener | None = None
        self.unknown_records = 0
        """Wakes that only a newer release can read; they are ignored."""

    def attend(self, listener: Listener) -> None:
        self._listener = listener
        self._lane.on_message = self._heard
        self._lane.on_gap = listener.gap

    def send(self, uid: Uid, envelope: Envelope, receipt: Receipt) -> None:
        command = (b"PUBLISH", self._channel(uid), pack_envelope(envelope))
        # A partial costs 70 ns and nothing is cheaper: replies to commands that never left overtake the others, so
        # receipts cannot simply wait in a queue.
        self._lane.call(command, partial(_settle, receipt))

    async def listen(self, uid: Uid) -> None:
        """Listen for a user. Whoever is told that it failed repeats it or forgets the user."""
        # Before the confirmation: the first message may lie in the same packet.
        self._uids[self._channel(uid)] = uid
        await self._lane.subscribe(self._keyspace.wake(uid))

    def forget(self, uid: Uid) -> None:
        if self._uids.pop(self._channel(uid), None) is not None:
            self._lane.unsubscribe(self._keyspace.wake(uid))

    def _heard(self, channel: bytes, payload: bytes) -> None:
        uid = self._uids.get(channel)
        if uid is None or self._listener is None:
            return  # forgotten while the message was under way
        wake = unpack_wake(payload)
        if wake is None:
            self.unknown_records += 1
        else:
            self._listener.woken(uid, wake, len(payload))


def _settle(receipt: Receipt, reply: object) -> None:
    if type(reply) is int:
        receipt.counted(reply)
    elif isinstance(reply, StorageUnavailable):
        receipt.failed(reply)
    else:
        # The server refused it, so it did not run. The lane counts refusals by kind.
        receipt.failed(StorageUnavailable(sent=False))
