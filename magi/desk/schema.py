"""The tables of a store, and how an older file becomes a present one (CLI-18).

``user_version`` counts the migrations that a file has had. Each is one transaction with its count, so a kill leaves a file
before it or after it. ``meta`` keeps its form for ever: by its row ``version`` an older magi says which one reads a file.
A migration that was released is never edited; the next change is another one.
"""

import sqlite3
from typing import Final

from magi import __version__
from magi.client.errors import ProfileError

FIRST: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) WITHOUT ROWID;

-- `place` is the order in which messages came; `final` says that `state` is.
CREATE TABLE outgoing (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    receiver TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    reply_to TEXT NOT NULL,
    thread TEXT NOT NULL,
    parent TEXT NOT NULL,
    origin TEXT NOT NULL,
    trace TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    final INTEGER NOT NULL,
    held_for TEXT NOT NULL DEFAULT ''
);
CREATE INDEX outgoing_pending ON outgoing (place) WHERE state = 'pending';
CREATE INDEX outgoing_held ON outgoing (receiver, reply_to) WHERE state = 'held_here';
CREATE INDEX outgoing_open ON outgoing (kind, receiver, place) WHERE final = 0;
CREATE INDEX outgoing_made ON outgoing (made_ms);

-- `ended` marks what settled our ask `reply_to`; `bytes` is what a row takes, roughly.
CREATE TABLE incoming (
    place INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    id TEXT NOT NULL,
    nickname TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    reply_to TEXT NOT NULL,
    thread TEXT NOT NULL,
    parent TEXT NOT NULL,
    origin TEXT NOT NULL,
    trace TEXT NOT NULL,
    matched TEXT NOT NULL,
    mailbox_offset TEXT NOT NULL,
    settled TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0,
    deferred_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sender, id)
);
CREATE INDEX incoming_open ON incoming (place, bytes) WHERE settled = '';
CREATE INDEX incoming_ended ON incoming (reply_to) WHERE ended = 1;
CREATE INDEX incoming_received ON incoming (received_ms);

-- Every session that ever claimed a message that is still open.
CREATE TABLE leases (
    sender TEXT NOT NULL,
    id TEXT NOT NULL,
    session TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (sender, id, session)
) WITHOUT ROWID;

CREATE TABLE friends (place INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, said TEXT NOT NULL);

-- `petname_key` is the petname in one letter case, NULL where there is none.
CREATE TABLE people (
    username TEXT PRIMARY KEY,
    petname TEXT NOT NULL DEFAULT '',
    petname_key TEXT UNIQUE,
    mode TEXT NOT NULL DEFAULT 'ask',
    blocked INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE grants (
    username TEXT NOT NULL,
    thread TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (username, thread)
) WITHOUT ROWID;

-- A row with `gone` 0 is only a permission: nothing left under it yet.
CREATE TABLE audit (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at_ms INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    receiver TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',
    origin TEXT NOT NULL DEFAULT '',
    allowed_by TEXT NOT NULL DEFAULT '',
    how TEXT NOT NULL DEFAULT ''
);
CREATE INDEX audit_counts ON audit (receiver, kind, at_ms);
CREATE INDEX audit_at ON audit (at_ms);
"""

MIGRATIONS: tuple[str, ...] = (FIRST,)


def bring_up(connection: sqlite3.Connection) -> None:
    """Bring a file to the present schema, or make it there.

    Raises:
        ProfileError: It was written by a newer magi, or is no store of magi. It is as it was.
    """
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > len(MIGRATIONS):
        (written_by,) = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() or (
            "a newer one",
        )
        raise ProfileError(
            f"The store was written by magi {written_by} and this is {__version__}. Install {written_by}."
        )
    if found == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise ProfileError("The file is a database, but not one of magi. Move it away and start again.")
    for number, migration in enumerate(MIGRATIONS[found:], found + 1):
        _migrate(connection, number, migration)


def _migrate(connection: sqlite3.Connection, number: int, migration: str) -> None:
    # Of the two numbers both are ours; a script takes no parameters.
    mark = f"INSERT OR REPLACE INTO meta VALUES ('version', '{__version__}');"  # noqa: S608
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {migration} {mark} PRAGMA user_version = {number}; COMMIT;")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
