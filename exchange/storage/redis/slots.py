"""The channels of slots on Redis: one script a frame, which checks it and publishes it, one subscription a slot and node."""

import asyncio
import math
import struct
from collections import deque
from functools import lru_cache, partial
from typing import cast

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import End, PairId, Passing, Role
from exchange.ports import Allowances, Clock, PassReceipt, SlotListener
from exchange.storage.periods import day_of, month_of
from exchange.storage.redis.connection import Done, settle
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.records import pack_handed_over, unpack_slot_wake
from exchange.storage.redis.resp import Command
from exchange.storage.redis.scripts import MARK_SLOT, PASS_ON

ENDS_CACHED = 16_384
AGAIN_SECONDS = 0.1
_PASSING = {word.value.encode(): word for word in Passing}


class Slots:
    """Implements ``exchange.ports.Slots``. No task, no future and no timer for a frame (DEL-9)."""

    def __init__(self, lane: Lane, keyspace: Keyspace, clock: Clock, allowances: Allowances) -> None:
        """``clock`` says which day it is. A lane has one listener: whoever attends needs one that nobody else hears."""
        self._lane = lane
        self._keyspace = keyspace
        self._clock = clock
        self._terms = {role: _terms(role, allowances) for role in Role}
        self._keys = lru_cache(ENDS_CACHED)(
            lambda pair, role, day: (
                keyspace.slot(pair, role),
                keyspace.slot(pair, role.other),
                keyspace.bucket(pair, role),
                keyspace.used(pair, day),
                keyspace.used(pair, month_of(day)),
                keyspace.slot_wake(pair, role.other),
            )
        )
        self._places: dict[bytes, tuple[PairId, Role]] = {}
        self._listener: SlotListener | None = None
        self._slips: deque[_Slip] = deque()
        self.unknown_records = 0
        """Wakes that only a newer release can read; they are ignored."""

    def attend(self, listener: SlotListener) -> None:
        self._listener = listener
        self._lane.on_message = self._heard
        self._lane.on_gap = listener.cut

    async def listen(self, pair: PairId, role: Role) -> None:
        channel = self._keyspace.slot_wake(pair, role)
        # Before the confirmation: the first message may lie in the same packet.
        self._places[channel.encode()] = pair, role
        await self._lane.subscribe(channel)

    def forget(self, pair: PairId, role: Role) -> None:
        channel = self._keyspace.slot_wake(pair, role)
        if self._places.pop(channel.encode(), None) is not None:
            self._lane.unsubscribe(channel)

    def pass_on(self, end: End, frame: bytes, receipt: PassReceipt, *, handed: bool = False) -> None:
        pair, role, number = end
        keys = self._keys(pair, role, day_of(self._clock.now_ms()))
        slip = _Slip(receipt)
        self._slips.append(slip)
        args = (number, frame, number if handed else 0, self._terms[role])
        # Not again: the next frame may be on its way already, and would come first (CORAL-16).
        self._lane.run(PASS_ON, keys, args, partial(self._passed, slip), again=False)

    def _passed(self, slip: "_Slip", reply: object) -> None:
        slip.outcome = _outcome(reply)
        # A frame that never left fails at once, perhaps before the replies to those ahead of it.
        while self._slips and (outcome := self._slips[0].outcome) is not None:
            settle(cast(Done, self._slips.popleft().receipt), outcome)

    def hand_over(self, pair: PairId, role: Role, number: int) -> None:
        self._publish((b"PUBLISH", self._keyspace.slot_wake(pair, role), pack_handed_over(number)))

    def _publish(self, command: Command) -> None:
        self._lane.call(command, partial(self._published, command))

    def _published(self, command: Command, reply: object) -> None:
        # A crowded lane refuses without a break that would end the wait of whoever this is for.
        if isinstance(reply, StorageUnavailable) and not reply.sent and self._lane.up:
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._publish, command)

    async def mark(self, end: End, *, busy: bool) -> None:
        keys = (self._keyspace.slot(end.pair, end.role),)
        await self._lane.ask_script(MARK_SLOT, keys, (end.number, int(busy)))

    def silent_seconds(self) -> float:
        heard = max(self._lane.last_probe, self._lane.up_since)
        return asyncio.get_running_loop().time() - heard if heard else math.inf

    def _heard(self, channel: bytes, payload: bytes) -> None:
        if not self._lane.up:
            return  # subscribed again, but what came before may be lost: first the listener is told of the cut
        place = self._places.get(channel)
        if place is None or self._listener is None:
            return  # forgotten while the message was under way
        wake = unpack_slot_wake(payload)
        if wake is None:
            self.unknown_records += 1
        else:
            self._listener.heard(*place, wake)


class _Slip:
    """A frame whose fate is not told yet."""

    __slots__ = ("outcome", "receipt")

    def __init__(self, receipt: PassReceipt) -> None:
        self.receipt = receipt
        self.outcome: Passing | StorageUnavailable | None = None


def _terms(role: Role, allowances: Allowances) -> bytes:
    """Pack what the script has to know of a slot: four numbers, because that is the quickest for it to read."""
    return struct.pack(
        "<4d",
        allowances.per_minute(role),
        allowances.burst(role),
        allowances.daily_bytes,
        allowances.monthly_bytes,
    )


def _outcome(reply: object) -> Passing | StorageUnavailable:
    if type(reply) is bytes:
        return _PASSING[reply]
    if isinstance(reply, StorageUnavailable):
        return reply
    # Refused, so it did not run; unless the script met the error half-way.
    return StorageUnavailable(sent="script:" in str(reply))
