"""Frames of the mAgi wire, version 1 (docs/protocols/magi.md sections 3, 4 and 12).

Requests keep their fields as loosely typed as the wire is: a wrong type is refused by the rule that needs the field, in
the order the wire fixes, and not by the parser. ``content`` is never parsed: it is the bytes that came in.

A released version is never edited, only added beside; fields may be appended.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from magi.wire.limits import ECHO_CHARACTERS
from magi.wire.strict import text_of, too_deep

# --- requests, client to exchange ------------------------------------------------------------------------------------


class Identify(Struct, tag_field="type", tag="identify", gc=False):
    """Claim a username (3.1)."""

    username: Any = None
    nickname: Any = None
    features: Any = None
    id: Any = None


class CreateInvite(Struct, tag_field="type", tag="create_invite", gc=False):
    """Ask for an invitation code (3.2)."""

    id: Any = None


class Connect(Struct, tag_field="type", tag="connect", gc=False):
    """Redeem an invitation code, with an optional inline identify (3.3)."""

    code: Any = None
    username: Any = None
    nickname: Any = None
    features: Any = None
    id: Any = None


class Ask(Struct, tag_field="type", tag="ask", gc=False):
    """A question for a friend (3.4)."""

    content: Raw = Raw()
    to: Any = None
    id: Any = None
    trace: Any = None
    expires: Any = None


class Answer(Struct, tag_field="type", tag="answer", gc=False):
    """An answer for a friend (3.5)."""

    content: Raw = Raw()
    to: Any = None
    id: Any = None
    trace: Any = None
    expires: Any = None
    replyTo: Any = None


Request = Identify | CreateInvite | Connect | Ask | Answer

# --- frames, exchange to client --------------------------------------------------------------------------------------


class Friend(Struct):
    """The other end of a friendship as its friend sees it."""

    username: str
    nickname: str


class Connected(Struct, tag_field="type", tag="connected"):
    """The greeting, first on every connection (MAGI-6)."""

    clientId: str


class Identified(Struct, tag_field="type", tag="identified", omit_defaults=True):
    """The name is yours (MAGI-17)."""

    username: str
    nickname: str
    clientId: str
    features: list[str] | UnsetType = UNSET
    id: str | UnsetType = UNSET


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
    """Somebody redeemed our invitation, or came back in time (MAGI-24, MAGI-32)."""

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


class QuestionSent(Struct, tag_field="type", tag="question_sent", omit_defaults=True):
    """Receipt of an ask. ``to`` is the target's nickname."""

    content: Raw
    to: str
    id: str | UnsetType = UNSET


class AnswerSent(Struct, tag_field="type", tag="answer_sent", omit_defaults=True):
    """Receipt of an answer. ``to`` is the target's nickname."""

    content: Raw
    to: str
    id: str | UnsetType = UNSET


class Error(Struct, tag_field="type", tag="error", omit_defaults=True):
    """The refusal of one request (section 5). Never sent unasked (MAGI-11)."""

    message: str
    id: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    retryAfterMs: int | UnsetType = UNSET


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
)

# --- codec -----------------------------------------------------------------------------------------------------------


class Malformed(ValueError):
    """The text is not a message of this wire: not JSON, not UTF-8, nested too deep, or JSON ``null``.

    ``parsed`` tells whether it was JSON at all; the statistics count only what parsed (MAGI section 3).
    """

    def __init__(self, *, parsed: bool) -> None:
        super().__init__("Invalid message format")
        self.parsed = parsed


class UnknownType(ValueError):
    """The JSON value names no request of this wire; ``type`` is what the error text repeats."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"Unknown message type: {type_}")
        self.type = type_


_encoder: Final = msgspec.json.Encoder()
_decode_request: Final[Callable[[bytes], Request]] = msgspec.json.Decoder(Request).decode
_decode_frame: Final[Callable[[bytes], Frame]] = msgspec.json.Decoder(Frame).decode
encode: Final = _encoder.encode
"""Encode a frame, or any JSON value, as UTF-8 bytes without white space."""


def decode(data: bytes) -> Request:
    """Decode one inbound message.

    Raises:
        Malformed: See there.
        UnknownType: The value has no ``type``, or one that is not a request.
    """
    if text_of(data) is None or too_deep(data):
        raise Malformed(parsed=False)
    try:
        return _decode_request(data)
    except (msgspec.DecodeError, RecursionError):
        raise _why(data) from None


def decode_frame(data: bytes) -> Frame:
    """Decode one message of the exchange, as a client does.

    Raises:
        msgspec.DecodeError: Not a frame of this version. Clients ignore it (MAGI-16).
    """
    return _decode_frame(data)


def _why(data: bytes) -> Malformed | UnknownType:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return Malformed(parsed=False)
    if value is None:
        return Malformed(parsed=True)
    if not isinstance(value, dict) or "type" not in value:
        return UnknownType("undefined")
    type_ = value["type"]
    if not isinstance(type_, str):
        return UnknownType(encode(type_).decode()[:ECHO_CHARACTERS])
    if any(type_ == request.__struct_config__.tag for request in (Identify, CreateInvite, Connect, Ask, Answer)):
        return Malformed(parsed=True)
    return UnknownType(type_[:ECHO_CHARACTERS])
