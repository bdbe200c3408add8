"""The one map from refusals of the exchange to errors of a client (CLI-13).

An extended client gets a machine name (MAGI section 5). A plain one gets the text alone, so each row has its form too. A name
that a newer exchange has invented is looked up by its text as well, and what nothing fits is :class:`Refused`.
"""

import re
from typing import Final

from msgspec import UNSET

from magi.client.errors import (
    FriendAway,
    InviteRefused,
    MagiError,
    NameTaken,
    NotFriends,
    RateLimited,
    Refused,
    TokenRefused,
    TooLarge,
    Unavailable,
)
from magi.wire.magi1_frames import Error

TABLE: Final[dict[str, tuple[type[MagiError], str]]] = {
    "malformed": (Refused, "Invalid message format"),
    "unknown_type": (Refused, "Unknown message type: .*"),
    "unusable": (Refused, "Invalid value for .*"),
    "not_identified": (Refused, "Please identify yourself first( using the identify message)?"),
    "name_unusable": (Refused, "Username is required"),
    "name_taken": (NameTaken, "Username already taken"),
    "token_invalid": (TokenRefused, "Resume token is not valid"),
    "invite_unknown": (InviteRefused, "Invalid or expired invitation code"),
    "invite_expired": (InviteRefused, "Invitation code has expired"),
    "own_invite": (InviteRefused, "Cannot connect to your own invitation"),
    "blocked_by_you": (InviteRefused, "You have blocked .*"),
    "unconfirmed": (InviteRefused, ".* has to confirm first.*"),
    # Nobody of this name is a friend of ours: exact names of friends are looked at first (MAGI-27).
    "user_unknown": (NotFriends, "User '.*' not found or not connected"),
    "not_linked": (NotFriends, "No active connection with .*"),
    "no_friends": (NotFriends, r"No active connection(\. Please connect first\.)?"),
    "friend_unknown": (NotFriends, "No such friendship"),
    "not_connected": (FriendAway, ".* is not connected"),
    "too_large": (TooLarge, "Message too large"),
    "rate_limited": (RateLimited, r"Rate limit exceeded\..*"),
    "too_many_attempts": (RateLimited, r"Too many attempts\..*"),
    "too_many_invites": (RateLimited, "Too many open invitations"),
    "mailbox_full": (RateLimited, r".*'s mailbox is full\..*"),
    "unavailable": (Unavailable, "Service temporarily unavailable.*"),
    "not_durable": (Unavailable, "Service temporarily unavailable.*"),
    "already_expired": (Refused, "Message has already expired"),
    "id_reused": (Refused, "Message id was already used for another message"),
    "never_delivered": (Refused, "Nothing with this offset was delivered"),
}
"""Machine name -> error, and the form of its text. For texts the first row that fits counts."""

_TEXTS: Final = [(re.compile(form, re.DOTALL), kind) for kind, form in TABLE.values()]
_WAIT: Final = re.compile(r"Try again in ([0-9]{1,6}) seconds")


def error_of(frame: Error) -> MagiError:
    """Return what a refusal means, with the exchange's own text."""
    code = "" if frame.code is UNSET else frame.code
    kind = TABLE[code][0] if code in TABLE else _kind_of(frame.message)
    retry_after_ms = _wait_ms(frame.message) if frame.retryAfterMs is UNSET else frame.retryAfterMs
    if issubclass(kind, Refused):
        return kind(frame.message, code, retry_after_ms)
    if issubclass(kind, Unavailable):
        return kind(frame.message, retry_after_ms)
    return kind(frame.message)


def _kind_of(text: str) -> type[MagiError]:
    return next((kind for form, kind in _TEXTS if form.fullmatch(text)), Refused)


def _wait_ms(text: str) -> int:
    found = _WAIT.search(text)
    return int(found[1]) * 1000 if found else 0
