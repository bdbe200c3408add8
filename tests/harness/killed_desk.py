"""A store that is killed at every step it takes: ``python -m tests.harness.killed_desk DIRECTORY`` (CLI-25).

One child after the other does the same work in a directory of its own, and kills itself before its first, second, third ...
step, until one gets through. A step is a statement of SQL, or the opening, renaming or removing of a file. What a child was
told to be done it writes to ``done``.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from magi.client.model import Friend, Kind
from magi.client.states import State
from magi.desk.ports import LEASE_MS, Mode
from magi.desk.store import SqliteStore
from tests.harness.desks import NOW_MS, StandingClock, our_answer, ours, theirs

STEPS_MOST = 2000
FILE_STEPS = frozenset({"open", "os.rename", "os.remove"})


async def work(store: SqliteStore) -> AsyncIterator[str]:
    """Do a bit of everything, and say what is done. Doing it again changes nothing more."""
    await store.keep_token("t1")
    yield "token 1"
    await store.keep_token("t2")
    yield "token 2"
    await store.keep_friends([Friend("bob", "Bob"), Friend("carol", "Carol")])
    await store.ledger.set_mode("carol", Mode.AUTO)
    await store.ledger.set_petname("bob", "bobby")
    yield "friends"
    for id_ in ("b1", "b2", "b3"):
        await store.put_in(theirs(id_))
    await store.put_in(theirs("c1", sender="carol"))
    yield "questions"
    await store.claims.claim([theirs("b1"), theirs("b2")], "s1", NOW_MS + LEASE_MS)
    await store.claims.release("s1")
    await store.audit.permit("a1", by="mode", how="auto")
    await store.put_out(our_answer("a1", "b1"))
    yield "answered"
    await store.drafts.hold(our_answer("a2", "b2"), "mode")
    yield "held"
    await store.drafts.release("a2", text="Edited.", by="owner", how="review")
    yield "released"
    await store.drafts.hold(our_answer("a3", "b3"), "mode")
    await store.drafts.drop("a3")
    yield "dropped"
    await store.put_out(ours("a4"))
    await store.advance("a4", State.DELIVERED)
    await store.put_in(theirs("b4", kind=Kind.ANSWER, reply_to="a4"))
    yield "asked"
    await store.settle("bob", "b4", "acked")
    await store.ledger.set_blocked("carol", blocked=True)
    await store.drop_friend("carol")
    await store.record.tidy()
    yield "tidied"


def main(directory: Path) -> None:
    """Kill one child at each step, until one is not killed."""
    for step in range(1, STEPS_MOST):
        place = directory / f"{step:04}"
        place.mkdir(0o700)
        child = os.fork()
        if child == 0:
            _die_at(step, place)
            asyncio.run(_do(place))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
    sys.exit(1)


async def _do(place: Path) -> None:
    done = os.open(place / "done", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    store = SqliteStore(place / "magi.db", now_ms=StandingClock())
    await store.open()
    os.write(done, b"open\n")
    async for said in work(store):
        os.write(done, said.encode() + b"\n")
    await store.close()
    os.write(done, b"closed\n")


def _die_at(step: int, place: Path) -> None:
    """Have this process killed before the given step."""
    left = step

    def count(_statement: str = "") -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, values: tuple[Any, ...]) -> None:
        if event in FILE_STEPS and str(place) in str(values[0]) and not str(values[0]).endswith("done"):
            count()

    sys.addaudithook(watch)
    sqlite3.connect = _watched(sqlite3.connect, count)  # type: ignore[assignment]  # only in this process


def _watched(connect: Callable[..., sqlite3.Connection], count: Callable[[str], None]) -> Callable[..., Any]:
    def watched(*values: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*values, **options)
        connection.set_trace_callback(count)
        return connection

    return watched


if __name__ == "__main__":
    main(Path(sys.argv[1]))
