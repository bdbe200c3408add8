"""Messages and friends as rows of tables, and back."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from magi.client.model import Friend, Incoming, Kind, Origin, Outgoing, Trace
from magi.client.states import State

OUTGOING: Final = (
    "id, receiver, kind, text, made_ms, expires_ms, reply_to, thread, parent, origin, trace, state, detail"
)
"""The columns of :func:`outgoing`."""
INCOMING: Final = (
    "id, sender, nickname, kind, text, received_ms, expires_ms, reply_to, thread, parent, origin, trace, matched, "
    "mailbox_offset, settled"
)
"""The columns of :func:`incoming`."""

ROW_BYTES: Final = 512
"""What a message takes beside its text, roughly."""

FAR_MS: Final = 2**63 - 1
"""The largest number of a column. A friend's ``expires`` is any number at all."""

Row = tuple[Any, ...]


def find_out(connection: sqlite3.Connection, which: str, *values: object) -> list[Outgoing]:
    """Return the messages of ours that a clause (``WHERE ...``) finds. It is written in the program, never by anybody else."""
    return [outgoing(row) for row in connection.execute(f"SELECT {OUTGOING} FROM outgoing {which}", values)]  # noqa: S608


def find_in(connection: sqlite3.Connection, which: str, *values: object) -> list[Incoming]:
    """Return the messages of friends that a clause (``WHERE ...``) finds."""
    return [incoming(row) for row in connection.execute(f"SELECT {INCOMING} FROM incoming {which}", values)]  # noqa: S608


def add_out(connection: sqlite3.Connection, message: Outgoing, held_for: str = "") -> None:
    """Add a message of ours."""
    values = (*of_outgoing(message), message.state.final, held_for)
    columns = f"{OUTGOING}, final, held_for"
    connection.execute(f"INSERT INTO outgoing ({columns}) VALUES ({marks(values)})", values)  # noqa: S608


def add_in(connection: sqlite3.Connection, message: Incoming) -> int:
    """Add a message of a friend and return its place; 0 if it was there already."""
    values = (*of_incoming(message), size(message))
    columns = f"{INCOMING}, bytes"
    added = connection.execute(
        f"INSERT INTO incoming ({columns}) VALUES ({marks(values)}) ON CONFLICT DO NOTHING",  # noqa: S608
        values,
    )
    return added.lastrowid or 0 if added.rowcount else 0


def outgoing(row: Row) -> Outgoing:
    """Return the message of a row with the columns ``OUTGOING``."""
    id_, to, kind, text, made_ms, expires_ms, reply_to, thread, parent, origin, trace, state, detail = row
    return Outgoing(
        id=id_,
        to=to,
        kind=Kind(kind),
        text=text,
        made_ms=made_ms,
        expires_ms=expires_ms,
        reply_to=reply_to,
        thread=thread,
        parent=parent,
        origin=Origin(origin),
        trace=_trace(trace),
        state=State(state),
        detail=detail,
    )


def of_outgoing(message: Outgoing) -> Row:
    """Return the values of the columns ``OUTGOING``."""
    return (
        *(message.id, message.to, message.kind.value, message.text, message.made_ms, message.expires_ms),
        *(message.reply_to, message.thread, message.parent, message.origin.value, _of_trace(message.trace)),
        *(message.state.value, message.detail),
    )


def incoming(row: Row) -> Incoming:
    """Return the message of a row with the columns ``INCOMING``."""
    id_, sender, nickname, kind, text, received_ms, expires_ms, reply_to, thread, parent, origin, trace, *rest = row
    matched, offset, settled = rest
    return Incoming(
        id=id_,
        sender=sender,
        nickname=nickname,
        kind=Kind(kind),
        text=text,
        received_ms=received_ms,
        expires_ms=expires_ms,
        reply_to=reply_to,
        thread=thread,
        parent=parent,
        origin=Origin(origin),
        trace=_trace(trace),
        matched=matched,
        offset=offset,
        settled=settled,
    )


def of_incoming(message: Incoming) -> Row:
    """Return the values of the columns ``INCOMING``."""
    return (
        *(message.id, message.sender, message.nickname, message.kind.value, message.text, message.received_ms),
        *(min(message.expires_ms, FAR_MS), message.reply_to, message.thread, message.parent, message.origin.value),
        *(_of_trace(message.trace), message.matched, message.offset, message.settled),
    )


def size(message: Incoming) -> int:
    """Return how many bytes a message takes, roughly."""
    return len(message.text.encode()) + ROW_BYTES


def words(kinds: Sequence[Kind]) -> Row:
    """Return kinds as values of a column."""
    return tuple(kind.value for kind in kinds)


def marks(row: Row) -> str:
    """Return as many question marks as a row has values."""
    return ", ".join("?" * len(row))


def friend(said: str) -> Friend:
    """Return the friend of a column ``said``."""
    return msgspec.json.decode(said, type=Friend)


def of_friend(known: Friend) -> str:
    """Return the column ``said`` of a friend."""
    return msgspec.json.encode(known).decode()


def _trace(text: str) -> Trace:
    return msgspec.json.decode(text, type=Trace) if text else Trace()


def _of_trace(trace: Trace) -> str:
    return msgspec.json.encode(trace).decode() if trace != Trace() else ""
