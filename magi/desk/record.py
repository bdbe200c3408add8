"""Looking back: history, threads, search, counts; and the retention that keeps the record small (CLI-18)."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from magi.client.model import Incoming, Kind, Outgoing
from magi.client.states import State
from magi.desk import claims, rows
from magi.desk.database import Database
from magi.desk.ports import Counts

DAY_MS: Final = 24 * 60 * 60 * 1000
MESSAGES_MS: Final = 30 * DAY_MS
"""How long messages are kept, and that they were seen (CLI-9)."""
AUDIT_MS: Final = 180 * DAY_MS
PERMIT_MS: Final = DAY_MS
"""How long a permission waits for its message."""
START_COUNT: Final = 10
"""How many messages are named to somebody whose beginning of an id is ambiguous."""

OUTDATED: Final = (
    "DELETE FROM incoming WHERE received_ms < :messages",
    """
    DELETE FROM outgoing WHERE made_ms < :messages AND state NOT IN ('pending', 'held_here')
    AND (final OR kind != 'ask' OR expires_ms < :now)
    """,
    "DELETE FROM audit WHERE at_ms < :audit OR (gone = 0 AND at_ms < :permit)",
    "DELETE FROM grants WHERE until_ms < :now",
    """
    DELETE FROM leases WHERE NOT EXISTS
    (SELECT 1 FROM incoming WHERE incoming.sender = leases.sender AND incoming.id = leases.id)
    """,
)


class Record:
    """Promises what :class:`magi.desk.ports.Record` says."""

    def __init__(self, database: Database, inbox_bytes: int) -> None:
        """Keep it in ``database``; ``inbox_bytes`` is what all open messages may take together."""
        self._database = database
        self._inbox_bytes = inbox_bytes

    async def history(self, who: str = "", *, search: str = "", limit: int = 50) -> Sequence[Incoming | Outgoing]:
        """Return the newest messages in and out, newest last."""
        return await self._database.read(_history, who, search, limit)

    async def thread(self, thread: str, *, limit: int = 100) -> Sequence[Incoming | Outgoing]:
        """Return the newest messages of a thread, newest last."""
        return await self._database.read(_thread, thread, limit)

    async def starting_in(self, start: str) -> Sequence[Incoming]:
        """Return messages to us whose id starts so, newest first, at most 10."""
        clause = f"WHERE substr(id, 1, ?) = ? AND kind != 'state' ORDER BY place DESC LIMIT {START_COUNT}"
        return await self._database.read(rows.find_in, clause, len(start), start) if start else ()

    async def starting_out(self, start: str) -> Sequence[Outgoing]:
        """Return messages of ours whose id starts so, newest first, at most 10."""
        clause = f"WHERE substr(id, 1, ?) = ? AND kind != 'state' ORDER BY place DESC LIMIT {START_COUNT}"
        return await self._database.read(rows.find_out, clause, len(start), start) if start else ()

    async def said(self, to: str, text: str, *, since_ms: int) -> bool:
        """Tell whether an ask or note with this very text was put for a user since a time, and not in vain (CLI-38)."""
        clause = (
            "WHERE made_ms >= ? AND receiver = ? AND kind IN ('ask', 'note') AND text = ? "
            "AND state NOT IN ('failed', 'withdrawn') LIMIT 1"
        )
        return bool(await self._database.read(rows.find_out, clause, since_ms, to, text))

    async def open_count(self, to: str) -> int:
        """Return how many asks to a user have no final state (CLI-38)."""
        return await self._database.read(_open_count, to)

    async def waiting(self, session: str = "") -> Counts:
        """Return how much waits."""
        return await self._database.read(_waiting, session, self._database.now_ms())

    async def full(self) -> bool:
        """Tell whether open messages take ``inbox_bytes`` or more (CLI-11)."""
        return await self._database.read(_open_bytes) >= self._inbox_bytes

    async def tidy(self) -> int:
        """Delete what is past its retention; return how many rows went."""
        return await self._database.change(_tidy, self._database.now_ms())


def _history(connection: sqlite3.Connection, who: str, search: str, limit: int) -> list[Incoming | Outgoing]:
    pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    found_in = rows.find_in(
        connection,
        "WHERE ? IN ('', sender) AND text LIKE ? ESCAPE '\\' AND kind != 'state' "
        "ORDER BY received_ms DESC, place DESC LIMIT ?",
        *(who, pattern, limit),
    )
    found_out = rows.find_out(
        connection,
        "WHERE ? IN ('', receiver) AND text LIKE ? ESCAPE '\\' AND kind != 'state' "
        "ORDER BY made_ms DESC, place DESC LIMIT ?",
        *(who, pattern, limit),
    )
    return _merged(found_in, found_out, limit)


def _thread(connection: sqlite3.Connection, thread: str, limit: int) -> list[Incoming | Outgoing]:
    clause = "WHERE thread = ? AND kind != 'state' ORDER BY place DESC LIMIT ?"
    found_in = rows.find_in(connection, clause, thread, limit)
    return _merged(found_in, rows.find_out(connection, clause, thread, limit), limit)


def _merged(found_in: list[Incoming], found_out: list[Outgoing], limit: int) -> list[Incoming | Outgoing]:
    """Return both by time, newest last. At the same moment what came in stands first: we answer it."""
    both: list[Incoming | Outgoing] = [*reversed(found_in), *reversed(found_out)]
    both.sort(key=lambda one: one.received_ms if isinstance(one, Incoming) else one.made_ms)
    return both[max(0, len(both) - limit) :]


def _open_count(connection: sqlite3.Connection, to: str) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM outgoing WHERE final = 0 AND kind = 'ask' AND receiver = ?", (to,)
    ).fetchone()
    return int(count)


def _waiting(connection: sqlite3.Connection, session: str, now_ms: int) -> Counts:
    found = connection.execute(
        f"SELECT sender, kind FROM incoming {claims.WAITS} ORDER BY place",  # noqa: S608  constants of this program
        {"now": now_ms, "session": session},
    )
    questions: Counter[str] = Counter()
    others: Counter[Kind] = Counter()
    for sender, kind in found:
        if kind in (Kind.ASK, Kind.NOTE, Kind.FOREIGN):
            questions[sender] += 1
        else:
            others[Kind(kind)] += 1
    (held,) = connection.execute("SELECT count(*) FROM outgoing WHERE state = ?", (State.HELD_HERE.value,)).fetchone()
    answers = others[Kind.ANSWER] + others[Kind.DECLINE]
    return Counts(dict(questions), answers=answers, notices=others[Kind.NOTICE], held=held)


def _open_bytes(connection: sqlite3.Connection) -> int:
    (taken,) = connection.execute("SELECT total(bytes) FROM incoming WHERE settled = ''").fetchone()
    return int(taken)


def _tidy(connection: sqlite3.Connection, now_ms: int) -> int:
    """Delete by age. A message of ours that may still leave, or be answered, stays."""
    times = {"now": now_ms, "messages": now_ms - MESSAGES_MS, "audit": now_ms - AUDIT_MS, "permit": now_ms - PERMIT_MS}
    return sum(connection.execute(statement, times).rowcount for statement in OUTDATED)
