"""The store of one profile: messages, friends and the desk's own parts in one file of SQLite, tokens beside it (CLI-18).

::

    SqliteStore          what a client needs: magi.client.ports.Store
      .ledger            petnames, modes, blocks, pause
      .claims            leases, deferrals, expiry
      .drafts            what waits for the owner
      .audit             what left
      .record            history, counts, retention

Open it only while the profile's lock is held (CLI-23).
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from magi.client.model import Friend, Incoming, Kind, Outgoing, Tokens
from magi.client.records import wall_ms
from magi.client.states import State
from magi.desk import ledger, messages, rows, tokens
from magi.desk.audit import Audit
from magi.desk.claims import Claims
from magi.desk.config import Limits
from magi.desk.database import Database
from magi.desk.drafts import Drafts
from magi.desk.ledger import Ledger
from magi.desk.record import Record


class SqliteStore:
    """Promises what :class:`magi.desk.ports.DeskStore` says."""

    durable = True

    def __init__(
        self, path: Path | str, *, now_ms: Callable[[], int] = wall_ms, inbox_bytes: int = Limits().inbox_bytes
    ) -> None:
        """Do nothing yet; :meth:`open` does. Tokens are in ``token.json`` beside ``path``."""
        self._database = database = Database(Path(path), now_ms)
        self._tokens = Path(path).with_name("token.json")
        self.ledger = Ledger(database)
        self.claims = Claims(database)
        self.drafts = Drafts(database)
        self.audit = Audit(database)
        self.record = Record(database, inbox_bytes)

    @property
    def journal(self) -> str:
        """How changes reach the disk: ``wal``, or ``delete`` on file systems that cannot do it; empty while closed."""
        return self._database.journal

    async def open(self) -> None:
        """Open the file, make it, or bring it to the present schema.

        Raises:
            ProfileError: It cannot be read: of a newer version, damaged, or readable by others. It is left as it is.
        """
        await self._database.open()

    async def close(self) -> None:
        """Close the file. A second call does nothing."""
        await self._database.close()

    async def tokens(self) -> Tokens:
        """Return the resume tokens; empty ones if there are none."""
        return await self._database.do(lambda: tokens.read(self._tokens))

    async def keep_token(self, token: str) -> None:
        """Make ``token`` the current one, and the current one the previous one. A repeat changes nothing."""
        await self._database.do(lambda: tokens.keep(self._tokens, token))

    async def drop_tokens(self) -> None:
        """Forget all tokens."""
        await self._database.do(lambda: tokens.drop(self._tokens))

    # --- out ---------------------------------------------------------------------------------------------------------

    async def put_out(self, message: Outgoing) -> bool:
        """Put a message into the outbox; ``False`` if one with this id is there already. In state ``held_here`` it is a
        draft, which settles nothing before it leaves.

        Raises:
            AlreadySettled: The question that it names was settled before. Nothing was put.
        """
        return await self._database.change(messages.put_out, message, self._database.now_ms())

    async def out(self, id_: str) -> Outgoing | None:
        """Return a message of ours as it stands."""
        return await self._database.read(messages.out, id_)

    async def unsent(self) -> Sequence[Outgoing]:
        """Return all messages without a receipt (``pending``), oldest first."""
        return await self._database.read(messages.unsent)

    async def open_asks(self, to: str = "") -> Sequence[Outgoing]:
        """Return all asks without a final state, oldest first; to one user if ``to`` is set."""
        return await self._database.read(messages.open_asks, to)

    async def advance(self, id_: str, state: State, detail: str = "") -> bool:
        """Move a message to another state; ``False`` if that is no step forwards or it is not known."""
        return await self._database.change(messages.advance, id_, state, detail, self._database.now_ms())

    # --- in ----------------------------------------------------------------------------------------------------------

    async def put_in(self, message: Incoming) -> bool:
        """Keep a message, and move the message of ours that it is about; ``False`` if it was there already."""
        return await self._database.change(messages.put_in, message)

    async def incoming(self, sender: str, id_: str) -> Incoming | None:
        """Return a message of a friend."""
        return await self._database.read(messages.incoming, sender, id_)

    async def answer_to(self, ask_id: str) -> Incoming | None:
        """Return what settled an ask of ours: an answer or a decline."""
        return await self._database.read(messages.answer_to, ask_id)

    async def inbox(self, kinds: Sequence[Kind] = (), *, limit: int = 100) -> Sequence[Incoming]:
        """Return what is not settled, oldest first; of some kinds only if any are given."""
        return await self._database.read(messages.inbox, kinds, limit)

    async def settle(self, sender: str, id_: str, how: str) -> bool:
        """Settle a message as ``how``; ``False`` if it was settled before or is not known."""
        return await self._database.change(messages.settle, sender, id_, how)

    # --- friends -----------------------------------------------------------------------------------------------------

    async def friends(self) -> Sequence[Friend]:
        """Return all friends as last heard of, oldest first."""
        return await self._database.read(_friends)

    async def keep_friend(self, friend: Friend) -> None:
        """Add a friend, or replace what is known of it."""
        await self._database.change(_keep_friend, friend)

    async def keep_friends(self, friends: Sequence[Friend]) -> None:
        """Replace all friends by these."""
        await self._database.change(_keep_friends, friends)

    async def drop_friend(self, username: str) -> None:
        """Forget a friend; its messages stay, and what it may is taken back."""
        await self._database.change(_drop_friend, username)


def _friends(connection: sqlite3.Connection) -> list[Friend]:
    return [rows.friend(said) for (said,) in connection.execute("SELECT said FROM friends ORDER BY place")]


def _keep_friend(connection: sqlite3.Connection, friend: Friend) -> None:
    connection.execute(
        "INSERT INTO friends (username, said) VALUES (?, ?) ON CONFLICT (username) DO UPDATE SET said = excluded.said",
        (friend.username, rows.of_friend(friend)),
    )


def _keep_friends(connection: sqlite3.Connection, friends: Sequence[Friend]) -> None:
    listed = {friend.username for friend in friends}
    for known in _friends(connection):
        if known.username not in listed:
            ledger.lower(connection, known.username)
    connection.execute("DELETE FROM friends")
    for friend in friends:
        _keep_friend(connection, friend)


def _drop_friend(connection: sqlite3.Connection, username: str) -> None:
    connection.execute("DELETE FROM friends WHERE username = ?", (username,))
    ledger.lower(connection, username)
