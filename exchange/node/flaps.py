"""Friends who have just gone and may be back in a moment: who watches presence is told only after a while (DEL-30)."""

import asyncio
from collections.abc import Callable

from exchange.core.ids import Uid
from exchange.core.model import Link


class Flaps:
    """One user's friends whose going is not told yet, with what was told of them last."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: dict[Uid, tuple[asyncio.TimerHandle, Link]] = {}

    def begin(self, told: Link, seconds: float, tell: Callable[[], None]) -> None:
        """The friend has gone: ``tell`` after ``seconds`` unless it is back before."""

        def due() -> None:
            del self._pending[told.peer]
            tell()

        told = self.end(told.peer) or told
        self._pending[told.peer] = (asyncio.get_running_loop().call_later(seconds, due), told)

    def end(self, friend: Uid) -> Link | None:
        """The friend is back, or is none any more: return what was told last if its going was not."""
        timer, told = self._pending.pop(friend, (None, None))
        if timer is not None:
            timer.cancel()
        return told

    def clear(self) -> dict[Uid, Link]:
        """Tell nothing any more; return what was told last of friends whose going was not."""
        told = {friend: link for friend, (_, link) in self._pending.items()}
        for timer, _ in self._pending.values():
            timer.cancel()
        self._pending.clear()
        return told
