"""A daemon that kills itself at a named moment: ``dying.py MOMENT [ARGUMENTS OF THE DAEMON]`` (CLI-25)."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from magi.daemon import reading
from magi.daemon.__main__ import main
from magi.desk.claims import Claims
from magi.desk.drafts import Drafts
from magi.desk.store import SqliteStore

LEASE_MS = 1_500
"""How long a claim of this daemon lasts."""


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at(owner: type, name: str, *, done: bool) -> None:
    """Die in a method: when it is ``done``, or before it begins."""
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def dying(*args: Any, **kwargs: Any) -> None:
        if done:
            await real(*args, **kwargs)
        die()

    setattr(owner, name, dying)


MOMENTS = {
    "before the outbox": (SqliteStore, "put_out", False),
    "after the outbox": (SqliteStore, "put_out", True),
    "before the inbox": (SqliteStore, "put_in", False),
    "after the inbox": (SqliteStore, "put_in", True),
    "after a claim": (Claims, "claim", True),
    "after a draft": (Drafts, "hold", True),
    "after a review": (Drafts, "release", True),
}

if __name__ == "__main__":
    owner, name, done = MOMENTS[sys.argv[1]]
    at(owner, name, done=done)
    reading.LEASE_MS = LEASE_MS
    sys.exit(main(sys.argv[2:]))
