"""What waits for the owner: messages of ours in state ``held_here`` (CLI-33)."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from magi.client.model import Outgoing
from magi.client.states import State
from magi.desk import audit, messages, rows
from magi.desk.database import Database
from magi.desk.ports import Draft


class Drafts:
    """Promises what :class:`magi.desk.ports.Drafts` says."""

    def __init__(self, database: Database) -> None:
        """Keep them in ``database``."""
        self._database = database

    async def hold(self, message: Outgoing, reason: str) -> bool:
        """Keep a message for the owner; ``False`` if its id is known already.

        Raises:
            AlreadySettled: The question was settled before, or has a draft already.
        """
        return await self._database.change(messages.hold, replace(message, state=State.HELD_HERE), reason)

    async def held(self) -> Sequence[Draft]:
        """Return all drafts, oldest first."""
        return await self._database.read(_held)

    async def release(self, id_: str, *, text: str = "", by: str, how: str) -> Outgoing | None:
        """Put a draft into the outbox and settle its question; ``None`` if there is no such draft any more."""
        return await self._database.change(_release, id_, text, by, how, self._database.now_ms())

    async def drop(self, id_: str) -> Outgoing | None:
        """Withdraw a draft; ``None`` if there is no such draft."""
        return await self._database.change(_drop, id_)


def _held(connection: sqlite3.Connection) -> list[Draft]:
    drafts = []
    for message in rows.find_out(connection, "WHERE state = 'held_here' ORDER BY place"):
        (reason,) = connection.execute("SELECT held_for FROM outgoing WHERE id = ?", (message.id,)).fetchone()
        drafts.append(Draft(message, reason, messages.incoming(connection, message.to, message.reply_to)))
    return drafts


def _draft(connection: sqlite3.Connection, id_: str) -> Outgoing | None:
    message = messages.out(connection, id_)
    return message if message is not None and message.state is State.HELD_HERE else None


def _release(connection: sqlite3.Connection, id_: str, text: str, by: str, how: str, now_ms: int) -> Outgoing | None:
    draft = _draft(connection, id_)
    if draft is None:
        return None
    audit.permit(connection, id_, by, how, now_ms)
    connection.execute("UPDATE outgoing SET text = ? WHERE id = ?", (text or draft.text, id_))
    messages.advance(connection, id_, State.PENDING, "", now_ms)
    return messages.out(connection, id_)


def _drop(connection: sqlite3.Connection, id_: str) -> Outgoing | None:
    if _draft(connection, id_) is None:
        return None
    messages.advance(connection, id_, State.WITHDRAWN, "", now_ms=0)
    return messages.out(connection, id_)
