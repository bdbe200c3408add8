"""The channels a node listens to, remembered over breaks of the lane.

What is remembered changes only when the server has answered, or never will; and answers come in the order of the asking.
So the last word on a channel is the right one, however subscribes and unsubscribes of it follow each other.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.connection import Done, resolve, settle
from exchange.storage.redis.resp import ReplyError, answer
from exchange.storage.redis.room import Room
from exchange.storage.redis.subscription import Subscription


class Channels:
    """While the lane is down, whoever asks waits a moment in the room."""

    def __init__(self) -> None:
        self._messages: Subscription | None = None
        self._room = Room()
        self._wanted: set[bytes] = set()
        self._left: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._wanted)

    def names(self) -> list[bytes]:
        """Return what a new connection must subscribe to before it is up."""
        return list(self._wanted)

    async def subscribe(self, channel: str) -> None:
        """See ``Lane.subscribe``."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        name = channel.encode()
        self._ask(Subscription.subscribe, name, partial(self._subscribed, name, future))
        answer(await future)

    def unsubscribe(self, channel: str) -> None:
        """See ``Lane.unsubscribe``."""
        name = channel.encode()
        self._ask(Subscription.unsubscribe, name, partial(self._unsubscribed, name), always=True)

    def rose(self, messages: Subscription) -> None:
        """Use this connection, on which all ``names()`` of a moment ago are subscribed."""
        self._messages = messages
        for name in self._left - self._wanted:
            messages.unsubscribe(name, partial(self._unsubscribed, name))
        self._left.clear()
        self._room.admit(lambda: self._messages is not None)

    def fell(self) -> None:
        """Do without a connection."""
        self._messages = None

    def clear(self) -> None:
        """Refuse whoever waits."""
        self._room.clear()

    def _ask(
        self, ask: Callable[[Subscription, bytes, Done], None], name: bytes, done: Done, *, always: bool = False
    ) -> None:
        if self._messages is not None:
            ask(self._messages, name, done)
        else:
            self._room.enter(partial(self._ask, ask, name, done), partial(settle, done), always=always)

    def _subscribed(self, name: bytes, future: asyncio.Future[object], reply: object) -> None:
        if not isinstance(reply, StorageUnavailable | ReplyError):
            self._wanted.add(name)
        resolve(future, reply)

    def _unsubscribed(self, name: bytes, reply: object) -> None:
        self._wanted.discard(name)
        if isinstance(reply, StorageUnavailable):
            # A connection that is being opened at this moment may have subscribed it already.
            self._left.add(name)
