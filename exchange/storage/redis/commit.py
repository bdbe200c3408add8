"""Scripts whose effect counts only once enough replicas have it: the level ``replicated`` (DEL-2, DEL-15).

::

    call, call, call ... -> queue -> one batch: script, script, ..., PUBLISH, WAIT -> all callbacks, in order
                              ^                                                          |
                              +----------- what was called meanwhile: the next batch ----+

``WAIT`` blocks what is pipelined behind it, so it has a lane of its own, and one batch is under way at a time: the longer
the replicas take, the larger the batches. What WAIT promises covers the writes of its own connection. A repeat that finds
its message stored, perhaps over another connection, writes nothing; so each batch ends with a ``PUBLISH`` that nobody
hears. It is replicated as a write is, behind everything before it: then WAIT waits for that, too (DEL-3).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from exchange.core.errors import NotDurable, StorageUnavailable
from exchange.storage.redis.connection import Done, settle
from exchange.storage.redis.durability import Durability
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.resp import ReplyError, Word
from exchange.storage.redis.scripts import Script

BATCH_COUNT = 1024
QUEUE_COUNT = 4096
QUEUE_BYTES = 32 * 1024 * 1024
"""What may wait for its turn; more is refused (DEL-10)."""

Call = tuple[Script, Sequence[str], Sequence[Word], Done]


class Unreplicated(NotDurable, StorageUnavailable):
    """The message is not safe yet; sending it again with the same id is."""


class Commit:
    """A lane for scripts that must be durable. ``call`` as ``Lane.run``; the order of the calls is kept."""

    def __init__(self, lane: Lane, channel: str, durability: Durability) -> None:
        """Start and stop ``lane`` yourself; nobody else uses it. ``channel`` is one that nobody listens to."""
        self.lane = lane
        self.on_waited: Callable[[float], None] = lambda _seconds: None
        """Is told how long each batch waited for its replicas."""
        self._fence = ("PUBLISH", channel, "")
        self._wait = ("WAIT", durability.wait_replicas_count, durability.wait_ms)
        self._enough = durability.wait_replicas_count
        self._queue: deque[tuple[Call, int]] = deque()
        self._queue_bytes = 0
        self._batch: Batch | None = None
        self._scheduled = False

    @property
    def waiting(self) -> int:
        """Calls that are not known to be safe yet."""
        return len(self._queue) + (len(self._batch.calls) if self._batch is not None else 0)

    def call(self, script: Script, keys: Sequence[str], args: Sequence[Word], done: Done) -> None:
        """Run a script and call back once its effect is on enough replicas; never from in here.

        ``done`` gets the reply, or a ``ReplyError``, or a ``StorageUnavailable``: ``Unreplicated`` if the script ran and
        the replicas did not confirm it in time.
        """
        size = sum(len(arg) for arg in args if isinstance(arg, bytes | str))
        if len(self._queue) >= QUEUE_COUNT or self._queue_bytes + size > QUEUE_BYTES:
            asyncio.get_running_loop().call_soon(settle, done, StorageUnavailable(sent=False))
            return
        self._queue.append(((script, keys, args, done), size))
        self._queue_bytes += size
        if self._batch is None and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        calls: list[Call] = []
        while self._queue and len(calls) < BATCH_COUNT:
            call, size = self._queue.popleft()
            self._queue_bytes -= size
            calls.append(call)
        self._batch = batch = Batch(calls)
        for position, (script, keys, args, _) in enumerate(calls):
            self.lane.run(script, keys, args, partial(self._ran, batch, position))
        self._confirm(batch)

    def _confirm(self, batch: "Batch") -> None:
        batch.confirming = True
        self.lane.call(self._fence, _ignore)
        self.lane.call(self._wait, partial(self._waited, batch))

    def _ran(self, batch: "Batch", position: int, reply: object) -> None:
        batch.replies[position] = reply
        batch.missing -= 1
        self._end_if_complete(batch)

    def _waited(self, batch: "Batch", reply: object) -> None:
        batch.confirming = False
        batch.safe = isinstance(reply, int) and reply >= self._enough
        if batch.missing and isinstance(reply, int):
            # The server had lost the scripts. The lane loaded them and sent these again, behind this WAIT.
            self._confirm(batch)
        self._end_if_complete(batch)

    def _end_if_complete(self, batch: "Batch") -> None:
        if batch.missing or batch.confirming:
            return
        self.on_waited(monotonic() - batch.begun)
        self._batch = None
        if self._queue:
            self._begin()
        for (_, _, _, done), reply in zip(batch.calls, batch.replies, strict=True):
            failed = isinstance(reply, ReplyError | StorageUnavailable)
            settle(done, reply if batch.safe or failed else Unreplicated())


class Batch:
    """Calls that are confirmed together."""

    __slots__ = ("begun", "calls", "confirming", "missing", "replies", "safe")

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.replies: list[object] = [None] * len(calls)
        self.missing = len(calls)
        self.confirming = False
        self.safe = False
        self.begun = monotonic()


def _ignore(_reply: object) -> None:
    """What matters is that it was replicated, and the WAIT behind it tells that."""
