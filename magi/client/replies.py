"""Which request a reply belongs to.

With any feature granted, replies repeat the ``id`` of their request. A plain exchange says nothing of the kind: its replies
come in the order of the requests (MAGI-9), and their type tells only what was asked (MAGI-8). ``answer`` is the name of a
request and of a push (MAGI-15): a frame is a reply by its class, never by its name.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET

from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r

PUSHES: Final = (
    f.FriendConnected,
    f.FriendDisconnected,
    f.FriendPresence,
    f.Question,
    f.Answered,
    f.Expired,
    f.Parked,
    f.Gap,
    f.Draining,
)
"""What comes unasked."""

REPLIES: Final[dict[type[r.Request], type[f.Frame]]] = {
    r.Identify: f.Identified,
    r.CreateInvite: f.InviteCreated,
    r.Connect: f.ConnectedToFriend,
    r.Ask: f.QuestionSent,
    r.Answer: f.AnswerSent,
    r.Friends: f.FriendsListed,
    r.Unfriend: f.Unfriended,
    r.Block: f.Blocked,
    r.Unblock: f.Unblocked,
    r.Presence: f.PresenceUpdated,
    r.History: f.HistoryRead,
    r.Confirm: f.Confirmed,
}
"""What a request gets when it succeeds. ``ack`` gets nothing."""

UNREAD: Final = frozenset({"malformed", "too_large", "unknown_type"})
"""Refusals of a message whose ``id`` the exchange did not read, or does not repeat."""


@dataclass(eq=False, slots=True)
class Letter:
    """A request on its way. ``written`` from the moment on at which any of it may have left."""

    request: r.Request
    data: bytes
    written: bool = False
    reply: asyncio.Future[f.Frame] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, outcome: f.Frame | Exception) -> None:
        """Hand the reply, or what happened instead, to whoever still waits for it."""
        if self.reply.done():
            return
        if isinstance(outcome, Exception):
            self.reply.set_exception(outcome)
        else:
            self.reply.set_result(outcome)


class Replies:
    """Requests that wait for their reply, in the order in which they were written."""

    def __init__(self, *, by_id: bool) -> None:
        self.by_id = by_id
        self._letters: list[Letter] = []

    def __iter__(self) -> Iterator[Letter]:
        return iter(tuple(self._letters))

    def add(self, letter: Letter) -> None:
        """Expect a reply to this letter."""
        self._letters.append(letter)

    def drop(self, letter: Letter) -> None:
        """Expect no reply any more. Without ids one that was written keeps its place: its reply may still come."""
        if letter in self._letters and (self.by_id or not letter.written):
            self._letters.remove(letter)

    def take(self, reply: f.Frame) -> Letter | None:
        """Return the letter that a reply belongs to, which is then expected no more; ``None`` if it belongs to none."""
        letter = next((one for one in self._letters if self._fits(one, reply)), None)
        if letter is not None:
            self._letters.remove(letter)
        return letter

    def _fits(self, letter: Letter, reply: f.Frame) -> bool:
        if not isinstance(reply, f.Error | REPLIES[type(letter.request)]):
            return False
        if not self.by_id or (isinstance(reply, f.Error) and reply.id is UNSET and reply.code in UNREAD):
            return True  # replies come in order, so it is for the oldest
        return bool(letter.request.id == getattr(reply, "id", UNSET))
