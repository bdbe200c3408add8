"""Requests of the mAgi wire, version 1: what a client sends (docs/protocols/magi.md sections 3 and 12).

Fields are as loosely typed as the wire is: a wrong type is refused by the rule that needs the field, in the order the
wire fixes, and not by the parser. ``content`` is never parsed: it is the bytes that came in.
"""

from typing import Any, Final, get_args

import msgspec
from msgspec import Raw, Struct

# --- of every client (section 3) -------------------------------------------------------------------------------------


class Identify(Struct, tag_field="type", tag="identify", gc=False):
    """Claim a username (3.1); with a token, come back to it (MAGI-46)."""

    username: Any = None
    nickname: Any = None
    features: Any = None
    id: Any = None
    token: Any = None


class CreateInvite(Struct, tag_field="type", tag="create_invite", gc=False):
    """Ask for an invitation code (3.2); extended clients may say of what length, for whom, and whether to be asked."""

    id: Any = None
    length: Any = None
    for_: Any = msgspec.field(name="for", default=None)
    confirm: Any = None


class Connect(Struct, tag_field="type", tag="connect", gc=False):
    """Redeem an invitation code, with an optional inline identify (3.3)."""

    code: Any = None
    username: Any = None
    nickname: Any = None
    features: Any = None
    id: Any = None
    token: Any = None


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


# --- of extended clients (section 12) --------------------------------------------------------------------------------


class Ack(Struct, tag_field="type", tag="ack", gc=False):
    """Everything up to an offset is safe with the client. The one request that has no reply."""

    upTo: Any = None
    id: Any = None


class Friends(Struct, tag_field="type", tag="friends", gc=False):
    """Ask for one's own friendships."""

    id: Any = None


class Unfriend(Struct, tag_field="type", tag="unfriend", gc=False):
    """End a friendship for good."""

    username: Any = None
    id: Any = None


class Block(Struct, tag_field="type", tag="block", gc=False):
    """Have nothing to do with a user any more."""

    username: Any = None
    id: Any = None


class Unblock(Struct, tag_field="type", tag="unblock", gc=False):
    """Allow friendships with a user again."""

    username: Any = None
    id: Any = None


class Presence(Struct, tag_field="type", tag="presence", gc=False):
    """Say what one is doing and what one can do; what is missing stays as it is."""

    status: Any = None
    capabilities: Any = None
    id: Any = None


class History(Struct, tag_field="type", tag="history", gc=False):
    """Ask for what was said in a friendship (MAGI-49)."""

    connectionId: Any = None
    before: Any = None
    limit: Any = None
    id: Any = None


class Confirm(Struct, tag_field="type", tag="confirm", gc=False):
    """Agree to a user who wants to redeem one's invitation."""

    code: Any = None
    username: Any = None
    id: Any = None


Request = (
    Identify
    | CreateInvite
    | Connect
    | Ask
    | Answer
    | Ack
    | Friends
    | Unfriend
    | Block
    | Unblock
    | Presence
    | History
    | Confirm
)
TYPES: Final = frozenset(str(request.__struct_config__.tag) for request in get_args(Request))
"""The words that a request can have as its ``type``."""
