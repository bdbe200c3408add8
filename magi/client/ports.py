"""What a client must not forget, and who keeps it.

``magi.client.memory`` keeps it until the process ends, ``magi.desk.store`` in a file; one contract suite proves the
sentences below on both. Every method that changes something is committed when it returns, entirely or not at all, also if the
process is killed meanwhile; cancelling a call may leave it done.
"""

from collections.abc import Sequence
from typing import Protocol

from magi.client.model import Friend, Incoming, Kind, Outgoing, Tokens
from magi.client.states import State


class Store(Protocol):
    """Messages in and out, friends, tokens."""

    durable: bool
    """Whether it outlives the process."""

    async def tokens(self) -> Tokens:
        """Return the resume tokens; empty ones if there are none."""

    async def keep_token(self, token: str) -> None:
        """Make ``token`` the current one, and the current one the previous one. A repeat changes nothing."""

    async def drop_tokens(self) -> None:
        """Forget all tokens: the exchange does not take them."""

    # --- out ---------------------------------------------------------------------------------------------------------

    async def put_out(self, message: Outgoing) -> bool:
        """Put a message into the outbox; ``False`` if one with this id is there already, which stays as it is.

        If it settles a question (``reply_to``, to its sender), the question is settled in the same step: as ``answered``
        by an answer, as ``declined`` by a decline.

        Raises:
            AlreadySettled: The question was settled before. Nothing was put.
        """

    async def out(self, id_: str) -> Outgoing | None:
        """Return a message of ours as it stands."""

    async def unsent(self) -> Sequence[Outgoing]:
        """Return all messages without a receipt (``pending``), oldest first."""

    async def open_asks(self, to: str = "") -> Sequence[Outgoing]:
        """Return all asks without a final state, oldest first; to one user if ``to`` is set."""

    async def advance(self, id_: str, state: State, detail: str = "") -> bool:
        """Move a message to another state; ``False``, and no change, if that is no step forwards or it is not known."""

    # --- in ----------------------------------------------------------------------------------------------------------

    async def put_in(self, message: Incoming) -> bool:
        """Keep a message; ``False`` if it was there already, by sender and id.

        An answer or decline that names our ask, or is matched to it, moves the ask to ``answered`` or ``declined`` in the
        same step; a state moves it to that state; a notice to ``expired`` or ``failed``. All name it by ``reply_to``. The
        ``text`` of a state is the state's word, that of a notice ``expired`` or ``parked``; anything else moves nothing.
        """

    async def incoming(self, sender: str, id_: str) -> Incoming | None:
        """Return a message of a friend."""

    async def answer_to(self, ask_id: str) -> Incoming | None:
        """Return what settled an ask of ours: an answer or a decline."""

    async def inbox(self, kinds: Sequence[Kind] = (), *, limit: int = 100) -> Sequence[Incoming]:
        """Return what is not settled, oldest first; of some kinds only if any are given."""

    async def settle(self, sender: str, id_: str, how: str) -> bool:
        """Settle a message as ``how``; ``False`` if it was settled before or is not known."""

    # --- friends -----------------------------------------------------------------------------------------------------

    async def friends(self) -> Sequence[Friend]:
        """Return all friends as last heard of, oldest first."""

    async def keep_friend(self, friend: Friend) -> None:
        """Add a friend, or replace what is known of it."""

    async def keep_friends(self, friends: Sequence[Friend]) -> None:
        """Replace all friends by these: the exchange listed them."""

    async def drop_friend(self, username: str) -> None:
        """Forget a friend; its messages stay."""
