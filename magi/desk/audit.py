"""One row for everything that left: when, to whom, what, and who allowed it how (CLI-36)."""

import sqlite3
from collections.abc import Sequence

from magi.client.model import Kind, Origin
from magi.client.states import State
from magi.desk.database import Database
from magi.desk.ports import Left


class Audit:
    """Promises what :class:`magi.desk.ports.Audit` says."""

    def __init__(self, database: Database) -> None:
        """Keep it in ``database``."""
        self._database = database

    async def permit(self, id_: str, *, by: str, how: str) -> None:
        """Say who allows a message before it is put into the outbox."""
        await self._database.change(permit, id_, by, how, self._database.now_ms())

    async def left(self, *, to: str = "", since_ms: int = 0, limit: int = 100) -> Sequence[Left]:
        """Return the newest rows, oldest first."""
        return await self._database.read(_left, to, since_ms, limit)

    async def count(self, to: str, kind: Kind, *, by: str = "", since_ms: int = 0) -> int:
        """Return how many messages of a kind left to a user since a time."""
        return await self._database.read(_count, to, kind, by, since_ms)


def permit(connection: sqlite3.Connection, id_: str, by: str, how: str, now_ms: int) -> None:
    """Say who allows a message. What has left stays as it was allowed then."""
    connection.execute(
        "INSERT INTO audit (id, at_ms, gone, allowed_by, how) VALUES (?, ?, 0, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET at_ms = excluded.at_ms, allowed_by = excluded.allowed_by, how = excluded.how WHERE gone = 0",
        (id_, now_ms, by, how),
    )


def _left(connection: sqlite3.Connection, to: str, since_ms: int, limit: int) -> list[Left]:
    found = connection.execute(
        "SELECT audit.id, at_ms, audit.receiver, audit.kind, audit.text, audit.origin, allowed_by, how, state "
        "FROM audit LEFT JOIN outgoing ON outgoing.id = audit.id "
        "WHERE gone AND ? IN ('', audit.receiver) AND at_ms >= ? ORDER BY at_ms DESC, audit.place DESC LIMIT ?",
        (to, since_ms, limit),
    ).fetchall()
    return [
        Left(id_, at_ms, receiver, Kind(kind), text, Origin(origin), by, how, State(state) if state else None)
        for id_, at_ms, receiver, kind, text, origin, by, how, state in reversed(found)
    ]


def _count(connection: sqlite3.Connection, to: str, kind: Kind, by: str, since_ms: int) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM audit WHERE gone AND receiver = ? AND kind = ? AND at_ms >= ? AND ? IN ('', allowed_by)",
        (to, kind.value, since_ms, by),
    ).fetchone()
    return int(count)
