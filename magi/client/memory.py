"""A store that lives as long as the process: for scripts, tests, and clients that have no place of their own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from magi.client.errors import AlreadySettled
from magi.client.model import Friend, Incoming, Kind, Outgoing, Tokens
from magi.client.states import State, follows

_Key = TypeVar("_Key")

SETTLES = {Kind.ANSWER: "answered", Kind.DECLINE: "declined"}
"""How a message of ours settles the question that it names."""
ENDS = {Kind.ANSWER: State.ANSWERED, Kind.DECLINE: State.DECLINED}
FATES = {"expired": State.EXPIRED, "parked": State.FAILED}
"""What the exchange says of a message of ours that it could not deliver, and where that leaves it."""


class MemoryStore:
    """Keeps everything until the process ends. Each method is one step of the event loop, so none is ever half done."""

    durable = False

    def __init__(self) -> None:
        self._tokens = Tokens()
        self._friends: dict[str, Friend] = {}
        self._out: dict[str, Outgoing] = {}
        self._pending: dict[str, None] = {}
        self._open_asks: dict[str, None] = {}
        self._in: dict[tuple[str, str], Incoming] = {}
        self._open_in: dict[tuple[str, str], None] = {}
        self._answers: dict[str, Incoming] = {}

    async def tokens(self) -> Tokens:
        """Return the resume tokens; empty ones if there are none."""
        return self._tokens

    async def keep_token(self, token: str) -> None:
        """Make ``token`` the current one, and the current one the previous one. A repeat changes nothing."""
        if token != self._tokens.current:
            self._tokens = Tokens(token, self._tokens.current)

    async def drop_tokens(self) -> None:
        """Forget all tokens."""
        self._tokens = Tokens()

    # --- out ---------------------------------------------------------------------------------------------------------

    async def put_out(self, message: Outgoing) -> bool:
        """Put a message into the outbox; ``False`` if one with this id is there already.

        Raises:
            AlreadySettled: The question that it names was settled before. Nothing was put.
        """
        if message.id in self._out:
            return False
        question = self._in.get((message.to, message.reply_to)) if message.kind in SETTLES else None
        if question is not None:
            if question.settled:
                raise AlreadySettled
            self._keep_in(replace(question, settled=SETTLES[message.kind]))
        self._keep_out(message)
        return True

    async def out(self, id_: str) -> Outgoing | None:
        """Return a message of ours as it stands."""
        return self._out.get(id_)

    async def unsent(self) -> Sequence[Outgoing]:
        """Return all messages without a receipt (``pending``), oldest first."""
        return [self._out[id_] for id_ in self._pending]

    async def open_asks(self, to: str = "") -> Sequence[Outgoing]:
        """Return all asks without a final state, oldest first; to one user if ``to`` is set."""
        asks = (self._out[id_] for id_ in self._open_asks)
        return [ask for ask in asks if to in ("", ask.to)]

    async def advance(self, id_: str, state: State, detail: str = "") -> bool:
        """Move a message to another state; ``False`` if that is no step forwards or it is not known."""
        return self._advance(id_, state, detail)

    # --- in ----------------------------------------------------------------------------------------------------------

    async def put_in(self, message: Incoming) -> bool:
        """Keep a message, and move the message of ours that it is about; ``False`` if it was there already."""
        if (message.sender, message.id) in self._in:
            return False
        self._keep_in(message)
        if message.kind in ENDS:
            detail = message.text if message.kind is Kind.DECLINE else ""
            if self._advance(message.reply_to, ENDS[message.kind], detail):
                self._answers[message.reply_to] = message
        elif message.kind is Kind.STATE and message.text in set(State):
            self._advance(message.reply_to, State(message.text), "")
        elif message.kind is Kind.NOTICE and message.text in FATES:
            self._advance(message.reply_to, FATES[message.text], message.text)
        return True

    async def incoming(self, sender: str, id_: str) -> Incoming | None:
        """Return a message of a friend."""
        return self._in.get((sender, id_))

    async def answer_to(self, ask_id: str) -> Incoming | None:
        """Return what settled an ask of ours: an answer or a decline."""
        answer = self._answers.get(ask_id)
        return None if answer is None else self._in[answer.sender, answer.id]

    async def inbox(self, kinds: Sequence[Kind] = (), *, limit: int = 100) -> Sequence[Incoming]:
        """Return what is not settled, oldest first; of some kinds only if any are given."""
        items = (self._in[key] for key in self._open_in)
        return [item for item in items if not kinds or item.kind in kinds][:limit]

    async def settle(self, sender: str, id_: str, how: str) -> bool:
        """Settle a message as ``how``; ``False`` if it was settled before or is not known."""
        message = self._in.get((sender, id_))
        if message is None or message.settled:
            return False
        self._keep_in(replace(message, settled=how))
        return True

    # --- friends -----------------------------------------------------------------------------------------------------

    async def friends(self) -> Sequence[Friend]:
        """Return all friends as last heard of, oldest first."""
        return list(self._friends.values())

    async def keep_friend(self, friend: Friend) -> None:
        """Add a friend, or replace what is known of it."""
        self._friends[friend.username] = friend

    async def keep_friends(self, friends: Sequence[Friend]) -> None:
        """Replace all friends by these."""
        self._friends = {friend.username: friend for friend in friends}

    async def drop_friend(self, username: str) -> None:
        """Forget a friend; its messages stay."""
        self._friends.pop(username, None)

    # --- indexes -----------------------------------------------------------------------------------------------------

    def _advance(self, id_: str, state: State, detail: str) -> bool:
        message = self._out.get(id_)
        if message is None or not follows(message.state, state):
            return False
        self._keep_out(replace(message, state=state, detail=detail or message.detail))
        return True

    def _keep_out(self, message: Outgoing) -> None:
        self._out[message.id] = message
        _mark(self._pending, message.id, message.state is State.PENDING)
        _mark(self._open_asks, message.id, message.kind is Kind.ASK and not message.state.final)

    def _keep_in(self, message: Incoming) -> None:
        key = (message.sender, message.id)
        self._in[key] = message
        _mark(self._open_in, key, not message.settled)


def _mark(index: dict[_Key, None], key: _Key, wanted: bool) -> None:
    if wanted:
        index[key] = None
    else:
        index.pop(key, None)
