"""Frames of the mAgi wire, version 1: what the exchange sends (docs/protocols/magi.md sections 4 and 12).

A field that can be ``UNSET`` is additive: it goes only to extended clients, and is left out where it says nothing.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

# --- of every client (section 4) -------------------------------------------------------------------------------------


class Friend(Struct, omit_defaults=True):
    """The other end of a friendship as its friend sees it."""

    username: str
    nickname: str
    online: bool | UnsetType = UNSET
    features: list[str] | UnsetType = UNSET


class Connected(Struct, tag_field="type", tag="connected"):
    """The greeting, first on every connection (MAGI-6)."""

    clientId: str


class Identified(Struct, tag_field="type", tag="identified", omit_defaults=True):
    """The name is yours (MAGI-17). ``token`` is the proof for next time (MAGI-46)."""

    username: str
    nickname: str
    clientId: str
    features: list[str] | UnsetType = UNSET
    id: str | UnsetType = UNSET
    token: str | UnsetType = UNSET


class InviteCreated(Struct, tag_field="type", tag="invite_created", omit_defaults=True):
    """A code to hand to a friend (MAGI-20). ``from`` is the inviter's nickname, ``expiresIn`` text for people."""

    code: str
    from_: str = msgspec.field(name="from")
    expiresIn: str
    expiresAt: int | UnsetType = UNSET
    id: str | UnsetType = UNSET


class ConnectedToFriend(Struct, tag_field="type", tag="connected_to_friend", omit_defaults=True):
    """The invitation was redeemed; ``friend`` is the inviter (MAGI-24)."""

    connectionId: str
    friend: Friend
    id: str | UnsetType = UNSET


class FriendConnected(Struct, tag_field="type", tag="friend_connected"):
    """Somebody redeemed our invitation, or came back (MAGI-24, MAGI-32, MAGI-47)."""

    connectionId: str
    friend: Friend


class FriendDisconnected(Struct, tag_field="type", tag="friend_disconnected"):
    """A friend left (MAGI-31)."""

    friend: Friend


class Question(Struct, tag_field="type", tag="question", omit_defaults=True):
    """A friend's question. ``from`` is a username."""

    content: Raw
    from_: str = msgspec.field(name="from")
    fromNickname: str
    id: str | UnsetType = UNSET
    ts: int | UnsetType = UNSET
    trace: tuple[str, ...] | UnsetType = UNSET
    expires: int | UnsetType = UNSET
    offset: str | UnsetType = UNSET


class Answered(Struct, tag_field="type", tag="answer", omit_defaults=True):
    """A friend's answer: the push that shares its type name with the request (MAGI-15)."""

    content: Raw
    from_: str = msgspec.field(name="from")
    fromNickname: str
    id: str | UnsetType = UNSET
    ts: int | UnsetType = UNSET
    trace: tuple[str, ...] | UnsetType = UNSET
    expires: int | UnsetType = UNSET
    replyTo: str | UnsetType = UNSET
    offset: str | UnsetType = UNSET


class QuestionSent(Struct, tag_field="type", tag="question_sent", omit_defaults=True):
    """Receipt of an ask. ``to`` is the target's nickname, ``status`` one of ``delivered`` and ``queued`` (MAGI-48)."""

    content: Raw
    to: str
    id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


class AnswerSent(Struct, tag_field="type", tag="answer_sent", omit_defaults=True):
    """Receipt of an answer; as of an ask."""

    content: Raw
    to: str
    id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


class Error(Struct, tag_field="type", tag="error", omit_defaults=True):
    """The refusal of one request (section 5). Never sent unasked (MAGI-11)."""

    message: str
    id: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    retryAfterMs: int | UnsetType = UNSET


# --- replies to extended clients (section 12) ------------------------------------------------------------------------


class Friendship(Struct):
    """One entry of ``friends``; nothing of it is ever left out."""

    username: str
    nickname: str
    connectionId: str
    online: bool
    features: list[str]


class FriendsListed(Struct, tag_field="type", tag="friends", omit_defaults=True):
    """One's own friendships, oldest first."""

    friends: list[Friendship]
    id: str | UnsetType = UNSET


class Unfriended(Struct, tag_field="type", tag="unfriended", omit_defaults=True):
    """The friendship has ended on both sides."""

    username: str
    id: str | UnsetType = UNSET


class Blocked(Struct, tag_field="type", tag="blocked", omit_defaults=True):
    """This user can become no friend any more."""

    username: str
    id: str | UnsetType = UNSET


class Unblocked(Struct, tag_field="type", tag="unblocked", omit_defaults=True):
    """This user may become a friend again."""

    username: str
    id: str | UnsetType = UNSET


class PresenceUpdated(Struct, tag_field="type", tag="presence_updated", omit_defaults=True):
    """What friends see of oneself from now on. ``status`` is empty until one was given."""

    status: str
    capabilities: tuple[str, ...]
    id: str | UnsetType = UNSET


class HistoryMessage(Struct, omit_defaults=True):
    """One message of a history. ``kind`` is ``question`` or ``answer``; ``mine`` tells which end said it."""

    id: str
    kind: str
    mine: bool
    content: Raw
    ts: int
    offset: str
    replyTo: str | UnsetType = UNSET


class HistoryRead(Struct, tag_field="type", tag="history", omit_defaults=True):
    """Part of a history, oldest first. With ``more``, ask again with ``before`` set to the first offset here."""

    connectionId: str
    messages: list[HistoryMessage]
    more: bool
    id: str | UnsetType = UNSET


class Confirmed(Struct, tag_field="type", tag="confirmed", omit_defaults=True):
    """This user may redeem the invitation now."""

    username: str
    id: str | UnsetType = UNSET


# --- pushes to extended clients (section 12) -------------------------------------------------------------------------


class FriendPresence(Struct, tag_field="type", tag="friend_presence", omit_defaults=True):
    """A persistent friend came, went, or says something else of itself."""

    friend: Friend
    online: bool
    status: str | UnsetType = UNSET
    capabilities: tuple[str, ...] | UnsetType = UNSET


class Expired(Struct, tag_field="type", tag="expired"):
    """Nobody fetched our message in time. ``to`` is the username it was for, ``offset`` that of this notice."""

    id: str
    to: str
    offset: str


class Parked(Struct, tag_field="type", tag="parked"):
    """Its recipient failed on our message too often. Fields as of :class:`Expired`."""

    id: str
    to: str
    offset: str


class Gap(Struct, tag_field="type", tag="gap"):
    """The store lost what it accepted since then (ms since the epoch): send again what has no final state."""

    since: int


class Draining(Struct, tag_field="type", tag="draining"):
    """This node goes away: come back elsewhere at a random moment between the two (ms from now)."""

    afterMs: int
    untilMs: int


Frame = (
    Connected
    | Identified
    | InviteCreated
    | ConnectedToFriend
    | FriendConnected
    | FriendDisconnected
    | Question
    | Answered
    | QuestionSent
    | AnswerSent
    | Error
    | FriendsListed
    | Unfriended
    | Blocked
    | Unblocked
    | PresenceUpdated
    | HistoryRead
    | Confirmed
    | FriendPresence
    | Expired
    | Parked
    | Gap
    | Draining
)
