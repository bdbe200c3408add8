"""What the owner decided about each user: petname, mode, block, what may leave unasked (CLI-33)."""

import os
import sqlite3
from collections.abc import Sequence
from typing import Final

from magi.desk import messages
from magi.desk.database import Database
from magi.desk.ports import Mode, Person

FOREVER: Final = -1
SECRET_BYTES: Final = 32

_PERSON: Final = "SELECT username, petname, mode, blocked FROM people"


class Ledger:
    """Promises what :class:`magi.desk.ports.Ledger` says."""

    def __init__(self, database: Database) -> None:
        """Keep it in ``database``."""
        self._database = database

    async def person(self, username: str) -> Person:
        """Return what is decided about a user; the defaults for a stranger."""
        return await self._database.read(_person, username)

    async def people(self) -> Sequence[Person]:
        """Return everybody about whom something is decided, by petname."""
        return await self._database.read(_people)

    async def mode(self, username: str) -> Mode:
        """Return the mode of a user as it was set."""
        return (await self.person(username)).mode

    async def set_mode(self, username: str, mode: Mode) -> None:
        """Set the mode of a user. Anything but ``auto`` also ends what :meth:`allow` granted."""
        await self._database.change(_set_mode, username, mode)

    async def petname(self, username: str) -> str:
        """Return what the owner calls a user; empty if nothing."""
        return (await self.person(username)).petname

    async def set_petname(self, username: str, petname: str) -> bool:
        """Call a user ``petname``; ``False``, and no change, if somebody else is called so in any letter case."""
        return await self._database.change(_set_petname, username, petname)

    async def username(self, petname: str) -> str:
        """Return whom the owner calls so, in any letter case; empty if nobody."""
        return await self._database.read(_username, petname)

    async def set_blocked(self, username: str, blocked: bool) -> None:
        """Have nothing to do with a user, or again."""
        await self._database.change(_set_blocked, username, blocked)

    async def allow(self, username: str, until_ms: int, *, thread: str = "") -> None:
        """Let answers to a user, or in one thread with it, leave unasked until a time."""
        await self._database.change(_allow, username, thread, until_ms)

    async def allowed(self, username: str, *, thread: str = "") -> bool:
        """Tell whether :meth:`allow` covers an answer now."""
        return await self._database.read(_allowed, username, thread, self._database.now_ms())

    async def pause(self, until_ms: int) -> None:
        """Pause until a time; 0 ends it, -1 is for ever."""
        await self._database.change(_keep, "paused_until", until_ms)

    async def paused(self) -> bool:
        """Tell whether a pause is on."""
        until_ms = await self._database.read(_kept, "paused_until")
        return until_ms == FOREVER or (isinstance(until_ms, int) and until_ms > self._database.now_ms())

    async def secret(self) -> bytes:
        """Return 32 random bytes, the same for as long as the store lives (CLI-39)."""
        return await self._database.change(_secret)


def lower(connection: sqlite3.Connection, username: str) -> None:
    """Take back what a user may: it is a friend no more, and comes again as anybody would. A mute stays."""
    connection.execute("UPDATE people SET mode = 'ask' WHERE username = ? AND mode = 'auto'", (username,))
    connection.execute("DELETE FROM grants WHERE username = ?", (username,))


def _person(connection: sqlite3.Connection, username: str) -> Person:
    row = connection.execute(f"{_PERSON} WHERE username = ?", (username,)).fetchone()
    return Person(row[0], row[1], Mode(row[2]), bool(row[3])) if row else Person(username)


def _people(connection: sqlite3.Connection) -> list[Person]:
    found = connection.execute(f"{_PERSON} ORDER BY petname_key, username")
    return [Person(username, petname, Mode(mode), bool(blocked)) for username, petname, mode, blocked in found]


def _meet(connection: sqlite3.Connection, username: str) -> None:
    connection.execute("INSERT INTO people (username) VALUES (?) ON CONFLICT DO NOTHING", (username,))


def _set_mode(connection: sqlite3.Connection, username: str, mode: Mode) -> None:
    _meet(connection, username)
    connection.execute("UPDATE people SET mode = ? WHERE username = ?", (mode.value, username))
    if mode is not Mode.AUTO:
        connection.execute("DELETE FROM grants WHERE username = ?", (username,))


def _set_petname(connection: sqlite3.Connection, username: str, petname: str) -> bool:
    if _username(connection, petname) not in ("", username):
        return False
    _meet(connection, username)
    key = petname.casefold() or None
    connection.execute("UPDATE people SET petname = ?, petname_key = ? WHERE username = ?", (petname, key, username))
    return True


def _username(connection: sqlite3.Connection, petname: str) -> str:
    row = connection.execute("SELECT username FROM people WHERE petname_key = ?", (petname.casefold(),)).fetchone()
    return str(row[0]) if row else ""


def _set_blocked(connection: sqlite3.Connection, username: str, blocked: bool) -> None:
    _meet(connection, username)
    connection.execute("UPDATE people SET blocked = ? WHERE username = ?", (blocked, username))
    if blocked:
        lower(connection, username)
        messages.forget(connection, username)


def _allow(connection: sqlite3.Connection, username: str, thread: str, until_ms: int) -> None:
    connection.execute(
        "INSERT INTO grants VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms",
        (username, thread, until_ms),
    )


def _allowed(connection: sqlite3.Connection, username: str, thread: str, now_ms: int) -> bool:
    found = connection.execute(
        "SELECT 1 FROM grants WHERE username = ? AND thread IN ('', ?) AND until_ms > ?", (username, thread, now_ms)
    )
    return found.fetchone() is not None


def _keep(connection: sqlite3.Connection, key: str, value: object) -> None:
    connection.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value))


def _kept(connection: sqlite3.Connection, key: str) -> object:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def _secret(connection: sqlite3.Connection) -> bytes:
    known = _kept(connection, "secret")
    if isinstance(known, bytes):
        return known
    fresh = os.urandom(SECRET_BYTES)
    _keep(connection, "secret", fresh)
    return fresh
