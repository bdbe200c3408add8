"""The connection that hears: messages as they come, confirmations in the order in which they were asked for.

A confirmation that nobody asked for means that a subscription may have been away meanwhile: the connection breaks, and
whoever rebuilds it reports a gap (DEL-12).
"""

from collections.abc import Callable
from functools import partial

import structlog

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.connection import Break, Connection, Counters, Done, settle
from exchange.storage.redis.resp import EMPTY, ProtocolError, pack

log = structlog.get_logger()


class Subscription(Connection):
    """A connection in subscriber mode. Commands that it allows may be sent as well."""

    def __init__(
        self,
        counters: Counters,
        *,
        timeout_seconds: float,
        on_break: Callable[[Break], None],
        on_message: Callable[[bytes, bytes], None],
    ) -> None:
        """As :class:`Connection`. ``on_message`` gets channel and payload, in the order of the server."""
        super().__init__(counters, timeout_seconds=timeout_seconds, on_break=on_break)
        self._on_message = on_message

    def subscribe(self, channel: bytes, done: Done) -> None:
        """Ask for a channel; ``done`` gets the confirmation, or what went wrong. Order is kept with :meth:`unsubscribe`."""
        self.send(pack((b"SUBSCRIBE", channel)), partial(self._confirm, b"subscribe", channel, done))

    def unsubscribe(self, channel: bytes, done: Done) -> None:
        """Give a channel up."""
        self.send(pack((b"UNSUBSCRIBE", channel)), partial(self._confirm, b"unsubscribe", channel, done))

    def _confirm(self, verb: bytes, channel: bytes, done: Done, reply: object) -> None:
        if type(reply) is list and reply[:2] != [verb, channel]:
            self.close(Break.CONFIRMATION)
            reply = StorageUnavailable()
        done(reply)

    def data_received(self, data: bytes) -> None:
        gets, on_message = self._reader.gets, self._on_message
        heard = 0
        self._reader.feed(data)
        try:
            while (reply := gets()) is not EMPTY:
                if type(reply) is list and len(reply) == 3 and reply[0] == b"message":
                    heard += 1
                    try:
                        on_message(reply[1], reply[2])
                    except Exception:
                        log.exception("lane.callback_failed")
                elif self.broken is None:
                    self._answered(reply)
        except ProtocolError:
            self.close(Break.PROTOCOL)
        self._counters.messages += heard

    def _answered(self, reply: object) -> None:
        if not self._waiting:
            self.close(Break.CONFIRMATION)
            return
        done, size = self._waiting.popleft()
        self._waiting_bytes -= size
        settle(done, reply)
