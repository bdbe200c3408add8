"""Who looks at which item: leases, deferrals, and what runs out (CLI-27)."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from magi.client.model import Incoming, Kind
from magi.client.states import State
from magi.desk import messages, rows
from magi.desk.database import Database
from magi.desk.ports import Offer

WAITS: Final = """
WHERE settled = '' AND deferred_ms <= :now AND kind != 'state'
AND NOT (kind IN ('ask', 'note') AND expires_ms > 0 AND expires_ms <= :now)
AND NOT EXISTS (SELECT 1 FROM people WHERE username = sender AND mode = 'mute' AND kind IN ('ask', 'note', 'foreign'))
AND NOT EXISTS (SELECT 1 FROM outgoing WHERE state = 'held_here' AND receiver = sender AND reply_to = incoming.id)
AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.sender = incoming.sender AND leases.id = incoming.id
                AND until_ms > :now AND session != :session)
"""
"""What a session may look at. Answers of a muted friend are answers to us; a user that is blocked has nothing open."""


class Claims:
    """Promises what :class:`magi.desk.ports.Claims` says."""

    def __init__(self, database: Database) -> None:
        """Keep them in ``database``."""
        self._database = database

    async def offered(self, session: str, kinds: Sequence[Kind] = (), *, limit: int = 100) -> Sequence[Offer]:
        """Return what a session may look at, oldest first, without claiming it."""
        return await self._database.read(_offered, session, kinds, limit, self._database.now_ms())

    async def claim(self, items: Sequence[Incoming], session: str, until_ms: int) -> Sequence[Incoming]:
        """Claim items, or renew claims; return those that the session has now."""
        return await self._database.change(_claim, items, session, until_ms, self._database.now_ms())

    async def release(self, session: str) -> None:
        """Give back what a session has: it is gone."""
        await self._database.change(_release, session)

    async def defer(self, sender: str, id_: str, until_ms: int) -> bool:
        """Offer an item to nobody until a time; ``False`` if it is settled or not known."""
        return await self._database.change(_defer, sender, id_, until_ms)

    async def expire(self) -> Sequence[Incoming]:
        """Settle what was not settled in time, end drafts to it and drafts that ran out, and return it."""
        return await self._database.change(_expire, self._database.now_ms())

    async def next_change_ms(self) -> int:
        """Return when the next claim, deferral, item or draft runs out; 0 if none will."""
        return await self._database.read(_next_change_ms, self._database.now_ms())


def _offered(
    connection: sqlite3.Connection, session: str, kinds: Sequence[Kind], limit: int, now_ms: int
) -> list[Offer]:
    found = connection.execute(
        f"SELECT {rows.INCOMING} FROM incoming {WAITS} ORDER BY place",  # noqa: S608  constants of this program
        {"now": now_ms, "session": session},
    )
    offers: list[Offer] = []
    for row in found:
        message = rows.incoming(row)
        if not kinds or message.kind in kinds:
            offers.append(_offer(connection, message, now_ms))
        if len(offers) == limit:
            break
    return offers


def _offer(connection: sqlite3.Connection, message: Incoming, now_ms: int) -> Offer:
    leases = connection.execute(
        "SELECT session, until_ms, taken FROM leases WHERE sender = ? AND id = ? ORDER BY until_ms",
        (message.sender, message.id),
    ).fetchall()
    tries = {session: taken for session, _, taken in leases}
    if leases and leases[-1][1] > now_ms:
        return Offer(message, session=leases[-1][0], until_ms=leases[-1][1], tries=tries)
    return Offer(message, tries=tries)


def _claim(
    connection: sqlite3.Connection, items: Sequence[Incoming], session: str, until_ms: int, now_ms: int
) -> list[Incoming]:
    return [item for item in items if _take(connection, item, session, until_ms, now_ms)]


def _take(connection: sqlite3.Connection, item: Incoming, session: str, until_ms: int, now_ms: int) -> bool:
    """Take one item, or renew a lease. A renewal while it runs is no further try."""
    known = messages.incoming(connection, item.sender, item.id)
    if known is None or known.settled:
        return False
    key = (item.sender, item.id)
    other = connection.execute(
        "SELECT 1 FROM leases WHERE sender = ? AND id = ? AND until_ms > ? AND session != ?", (*key, now_ms, session)
    )
    if other.fetchone():
        return False
    connection.execute(
        "INSERT INTO leases (sender, id, session, until_ms, taken) VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE "
        "SET taken = taken + (until_ms <= ?), until_ms = excluded.until_ms",
        (*key, session, until_ms, now_ms),
    )
    return True


def _release(connection: sqlite3.Connection, session: str) -> None:
    connection.execute("UPDATE leases SET until_ms = 0 WHERE session = ?", (session,))


def _defer(connection: sqlite3.Connection, sender: str, id_: str, until_ms: int) -> bool:
    done = connection.execute(
        "UPDATE incoming SET deferred_ms = ? WHERE sender = ? AND id = ? AND settled = ''", (until_ms, sender, id_)
    )
    connection.execute("UPDATE leases SET until_ms = 0 WHERE sender = ? AND id = ?", (sender, id_))
    return done.rowcount > 0


def _expire(connection: sqlite3.Connection, now_ms: int) -> list[Incoming]:
    late = rows.find_in(
        connection,
        "WHERE settled = '' AND kind IN ('ask', 'note') AND expires_ms > 0 AND expires_ms <= ? ORDER BY place",
        now_ms,
    )
    for message in late:
        messages.settle(connection, message.sender, message.id, State.EXPIRED.value)
    for draft in rows.find_out(connection, "WHERE state = 'held_here' AND expires_ms > 0 AND expires_ms <= ?", now_ms):
        messages.advance(connection, draft.id, State.EXPIRED, "", now_ms)
    return late


def _next_change_ms(connection: sqlite3.Connection, now_ms: int) -> int:
    (soonest,) = connection.execute(
        "SELECT min(at_ms) FROM (SELECT until_ms AS at_ms FROM leases "
        "UNION ALL SELECT deferred_ms FROM incoming WHERE settled = '' "
        "UNION ALL SELECT expires_ms FROM incoming WHERE settled = '' AND kind IN ('ask', 'note') "
        "UNION ALL SELECT expires_ms FROM outgoing WHERE state = 'held_here') WHERE at_ms > ?",
        (now_ms,),
    ).fetchone()
    return int(soonest or 0)
