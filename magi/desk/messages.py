"""Messages out and in, as work for one transaction: what :class:`magi.client.ports.Store` promises of them (CLI-9, CLI-10)."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from magi.client.errors import AlreadySettled
from magi.client.memory import ENDS, FATES, SETTLES
from magi.client.model import Incoming, Kind, Outgoing
from magi.client.states import State, follows
from magi.desk import rows

FULL: Final = "full"
"""The reason of a decline that keeps nothing of the question (CLI-11)."""
BLOCKED: Final = "blocked"

# --- out -------------------------------------------------------------------------------------------------------------


def put_out(connection: sqlite3.Connection, message: Outgoing, now_ms: int) -> bool:
    """Put a message, settle the question that it names, and write its audit row; ``False`` if its id is known.

    Raises:
        AlreadySettled: The question was settled before.
    """
    if message.state is State.HELD_HERE:
        return hold(connection, message, "")
    if out(connection, message.id) is not None:
        return False
    _settle_question(connection, message)
    rows.add_out(connection, message)
    _note_left(connection, message, now_ms)
    return True


def hold(connection: sqlite3.Connection, message: Outgoing, reason: str) -> bool:
    """Keep a message for the owner; ``False`` if its id is known. Its question stays open, but with nobody.

    Raises:
        AlreadySettled: The question was settled before, or has a draft.
    """
    if out(connection, message.id) is not None:
        return False
    if message.kind in SETTLES and (question := incoming(connection, message.to, message.reply_to)) is not None:
        if question.settled or _drafts_to(connection, question.sender, question.id):
            raise AlreadySettled
        _drop_leases(connection, question.sender, question.id)
    rows.add_out(connection, message, reason)
    return True


def out(connection: sqlite3.Connection, id_: str) -> Outgoing | None:
    """Return a message of ours."""
    return next(iter(rows.find_out(connection, "WHERE id = ?", id_)), None)


def unsent(connection: sqlite3.Connection) -> Sequence[Outgoing]:
    """Return all messages without a receipt."""
    return rows.find_out(connection, "WHERE state = 'pending' ORDER BY place")


def open_asks(connection: sqlite3.Connection, to: str) -> Sequence[Outgoing]:
    """Return all asks that may still change."""
    return rows.find_out(connection, "WHERE final = 0 AND kind = 'ask' AND ? IN ('', receiver) ORDER BY place", to)


def advance(connection: sqlite3.Connection, id_: str, state: State, detail: str, now_ms: int) -> bool:
    """Move a message; ``False`` if that is no step forwards. What was held here settles its question when it leaves."""
    message = out(connection, id_)
    if message is None or not follows(message.state, state):
        return False
    connection.execute(
        "UPDATE outgoing SET state = ?, detail = ?, final = ? WHERE id = ?",
        (state.value, detail or message.detail, state.final, id_),
    )
    if message.state is State.HELD_HERE and not state.final:
        # Its question is open still: settling that withdraws all drafts to it, and this is none any more.
        _settle_question(connection, message)
        _note_left(connection, message, now_ms)
    return True


# --- in --------------------------------------------------------------------------------------------------------------


def put_in(connection: sqlite3.Connection, message: Incoming) -> bool:
    """Keep a message, and move the message of ours that it is about; ``False`` if it was there. What comes of a blocked user
    is kept only as seen: settled, without text, moving nothing."""
    if message.kind is not Kind.NOTICE and _is_blocked(connection, message.sender):
        return bool(rows.add_in(connection, replace(message, text="", settled=BLOCKED)))
    place = rows.add_in(connection, message)
    if not place:
        return False
    if message.kind in ENDS:
        detail = message.text if message.kind is Kind.DECLINE else ""
        if advance(connection, message.reply_to, ENDS[message.kind], detail, message.received_ms):
            connection.execute("UPDATE incoming SET ended = 1 WHERE place = ?", (place,))
    elif message.kind is Kind.STATE and message.text in set(State):
        advance(connection, message.reply_to, State(message.text), "", message.received_ms)
    elif message.kind is Kind.NOTICE and message.text in FATES:
        advance(connection, message.reply_to, FATES[message.text], message.text, message.received_ms)
    return True


def incoming(connection: sqlite3.Connection, sender: str, id_: str) -> Incoming | None:
    """Return a message of a friend."""
    return next(iter(rows.find_in(connection, "WHERE sender = ? AND id = ?", sender, id_)), None)


def answer_to(connection: sqlite3.Connection, ask_id: str) -> Incoming | None:
    """Return what settled an ask of ours."""
    return next(iter(rows.find_in(connection, "WHERE ended = 1 AND reply_to = ?", ask_id)), None)


def inbox(connection: sqlite3.Connection, kinds: Sequence[Kind], limit: int) -> Sequence[Incoming]:
    """Return what is not settled."""
    wanted = rows.words(kinds or tuple(Kind))
    clause = f"WHERE settled = '' AND kind IN ({rows.marks(wanted)}) ORDER BY place LIMIT ?"
    return rows.find_in(connection, clause, *wanted, limit)


def settle(connection: sqlite3.Connection, sender: str, id_: str, how: str) -> bool:
    """Settle a message, end the claims on it and withdraw the draft to it; ``False`` if it was settled or is not known."""
    done = connection.execute(
        "UPDATE incoming SET settled = ? WHERE sender = ? AND id = ? AND settled = ''", (how, sender, id_)
    )
    if done.rowcount == 0:
        return False
    _drop_leases(connection, sender, id_)
    ended = State.EXPIRED if how == State.EXPIRED else State.WITHDRAWN
    for draft in _drafts_to(connection, sender, id_):
        advance(connection, draft, ended, "", now_ms=0)
    return True


def forget(connection: sqlite3.Connection, sender: str) -> None:
    """Settle everything that is open of a user as ``blocked``, and keep no text of it."""
    for message in rows.find_in(connection, "WHERE sender = ? AND settled = '' AND kind != 'notice'", sender):
        settle(connection, sender, message.id, BLOCKED)
        connection.execute("UPDATE incoming SET text = '' WHERE sender = ? AND id = ?", (sender, message.id))


# --- parts -----------------------------------------------------------------------------------------------------------


def _settle_question(connection: sqlite3.Connection, message: Outgoing) -> None:
    """Settle the question that a message of ours answers or declines.

    Raises:
        AlreadySettled: It was settled before.
    """
    if message.kind not in SETTLES:
        return
    if incoming(connection, message.to, message.reply_to) is None:
        return  # past its retention, or a question that this store never had
    if not settle(connection, message.to, message.reply_to, SETTLES[message.kind]):
        raise AlreadySettled
    if message.kind is Kind.DECLINE and message.text == FULL:
        connection.execute("UPDATE incoming SET text = '' WHERE sender = ? AND id = ?", (message.to, message.reply_to))


def _note_left(connection: sqlite3.Connection, message: Outgoing, now_ms: int) -> None:
    """Write the audit row of a message, over the permission if there was one (CLI-36). It is before the message itself."""
    connection.execute(
        "INSERT INTO audit (id, at_ms, gone, receiver, kind, text, origin) VALUES (?, ?, 1, ?, ?, ?, ?) ON CONFLICT (id) DO "
        "UPDATE SET at_ms = excluded.at_ms, gone = 1, receiver = excluded.receiver, kind = excluded.kind, "
        "text = excluded.text, origin = excluded.origin",
        (message.id, now_ms, message.to, message.kind.value, message.text, message.origin.value),
    )


def _drafts_to(connection: sqlite3.Connection, sender: str, id_: str) -> list[str]:
    found = connection.execute(
        "SELECT id FROM outgoing WHERE state = 'held_here' AND receiver = ? AND reply_to = ?", (sender, id_)
    )
    return [str(draft) for (draft,) in found]


def _drop_leases(connection: sqlite3.Connection, sender: str, id_: str) -> None:
    connection.execute("DELETE FROM leases WHERE sender = ? AND id = ?", (sender, id_))


def _is_blocked(connection: sqlite3.Connection, username: str) -> bool:
    return bool(connection.execute("SELECT 1 FROM people WHERE username = ? AND blocked", (username,)).fetchone())
