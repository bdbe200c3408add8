"""The channels of users in memory."""

import asyncio

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.core.model import Envelope
from exchange.core.wakes import Wake
from exchange.ports import Listener, Receipt
from exchange.storage.memory.state import Memory


class Wakes:
    """Implements ``exchange.ports.Wakes`` for one simulated node.

    Wakes and receipts go through the event loop, as they would through a socket: nothing is called inside ``send``.
    """

    def __init__(self, state: Memory) -> None:
        self._state = state
        self._uids: set[Uid] = set()
        self._listener: Listener | None = None

    def attend(self, listener: Listener) -> None:
        self._listener = listener

    def send(self, uid: Uid, envelope: Envelope, receipt: Receipt) -> None:
        loop = asyncio.get_running_loop()
        if self._state.down:
            loop.call_soon(receipt.failed, StorageUnavailable(sent=False))
        else:
            loop.call_soon(receipt.counted, self._state.publish(uid, envelope))

    async def listen(self, uid: Uid) -> None:
        await self._state.reach()
        self._uids.add(uid)
        self._state.listeners.setdefault(uid, {})[self] = self._hear

    def forget(self, uid: Uid) -> None:
        self._uids.discard(uid)
        nodes = self._state.listeners.get(uid, {})
        nodes.pop(self, None)
        if not nodes:
            self._state.listeners.pop(uid, None)

    def _hear(self, uid: Uid, wake: Wake, size_bytes: int) -> None:
        asyncio.get_running_loop().call_soon(self._wake, uid, wake, size_bytes)

    def _wake(self, uid: Uid, wake: Wake, size_bytes: int) -> None:
        if self._listener is not None and uid in self._uids:
            self._listener.woken(uid, wake, size_bytes)
