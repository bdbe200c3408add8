"""Joins what is sent to a socket within one tick of the loop into one write.

uvloop hands every write to the kernel at once, and the system call is the dearest part of a small message.
"""

import asyncio
from typing import Protocol

import structlog

log = structlog.get_logger()


class Sender(Protocol):
    """Something that holds output back until the end of the tick."""

    def flush(self) -> None:
        """Write it now."""


class Outbox:
    """The senders of a node with output in this tick: one callback of the loop for all of them."""

    __slots__ = ("_senders",)

    def __init__(self) -> None:
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        """Flush ``sender`` at the end of this tick. Called in the loop, once per sender and tick."""
        if not self._senders:
            asyncio.get_running_loop().call_soon(self._flush)
        self._senders.append(sender)

    def _flush(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            try:
                sender.flush()
            except Exception:
                # The others' output must leave all the same.
                log.exception("outbox.failed", sender=type(sender).__name__)
