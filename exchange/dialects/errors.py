"""The one map from refusals to what each wire says, looked up along the error's ancestors. Proved total by a test."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from exchange.core import commands as c
from exchange.core import errors as e
from exchange.core.commands import Command, CreateInvite, Send
from exchange.core.model import Kind
from magi.wire.coralmux_frames import AuthFail, ChatError, ErrorCode
from magi.wire.limits import ECHO_CHARACTERS, RELAY_ECHO_CHARACTERS

Row = TypeVar("Row")
Text = Callable[[e.ExchangeError, Command[object] | None], str]

REQUESTS: dict[type[Command[Any]], str] = {
    c.Ack: "ack",
    c.ListFriends: "friends",
    c.Unfriend: "unfriend",
    c.Block: "block",
    c.Unblock: "unblock",
    c.SetPresence: "presence",
    c.ReadHistory: "history",
    c.Confirm: "confirm",
}
"""mAgi: what a request of section 12 is called. To a session without its feature it is of an unknown type."""


def _says(text: str) -> Text:
    return lambda _error, _command: text


def _asks(command: Command[object] | None) -> bool:
    return isinstance(command, Send) and command.kind == Kind.QUESTION


def _not_identified(_error: e.ExchangeError, command: Command[object] | None) -> str:
    if isinstance(command, CreateInvite):
        return "Please identify yourself first using the identify message"
    return "Please identify yourself first"


def _not_linked(error: e.ExchangeError, command: Command[object] | None) -> str:
    assert isinstance(error, e.NotLinked)
    hint = ". Create an invite first." if _asks(command) else ""
    return f"No active connection with {error.nick}{hint}"


def _no_friends(_error: e.ExchangeError, command: Command[object] | None) -> str:
    return "No active connection. Please connect first." if _asks(command) else "No active connection"


def _user_unknown(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.UserUnknown)
    return f"User '{error.name[:ECHO_CHARACTERS]}' not found or not connected"


def _not_connected(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.NotConnected)
    return f"{error.nick or 'Friend'} is not connected"


def _ask_limit(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.AskLimit)
    return f"Rate limit exceeded. Try again in {max(1, math.ceil(error.retry_after_ms / 1000))} seconds."


def _unknown_request(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.UnknownRequest)
    return f"Unknown message type: {error.type}"


def _not_granted(_error: e.ExchangeError, command: Command[object] | None) -> str:
    type_ = "undefined" if command is None else REQUESTS.get(type(command), "undefined")
    return f"Unknown message type: {type_}"


def _unusable(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.Unusable)
    return f"Invalid value for {error.what}"


def _blocked_by_you(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.BlockedByYou)
    return f"You have blocked {error.name[:ECHO_CHARACTERS]}. Unblock first."


def _mailbox_full(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.MailboxFull)
    return f"{error.nick or 'Friend'}'s mailbox is full. Try again later."


def _unconfirmed(error: e.ExchangeError, _command: Command[object] | None) -> str:
    assert isinstance(error, e.Unconfirmed)
    return f"{error.nick or 'Friend'} has to confirm first. Try again in a moment."


_TRANSIENT = _says("Service temporarily unavailable. Please try again.")

MAGI1: dict[type[e.ExchangeError], tuple[str, Text]] = {
    e.ExchangeError: ("unavailable", _TRANSIENT),
    e.Malformed: ("malformed", _says("Invalid message format")),
    e.NameUnusable: ("name_unusable", _says("Username is required")),
    e.UnknownRequest: ("unknown_type", _unknown_request),
    e.NotGranted: ("unknown_type", _not_granted),
    e.Unusable: ("unusable", _unusable),
    e.NotIdentified: ("not_identified", _not_identified),
    e.TokenInvalid: ("token_invalid", _says("Resume token is not valid")),
    e.OwnInvite: ("own_invite", _says("Cannot connect to your own invitation")),
    e.NotLinked: ("not_linked", _not_linked),
    e.BlockedByYou: ("blocked_by_you", _blocked_by_you),
    e.InviteUnknown: ("invite_unknown", _says("Invalid or expired invitation code")),
    e.UserUnknown: ("user_unknown", _user_unknown),
    e.NoFriends: ("no_friends", _no_friends),
    e.NotConnected: ("not_connected", _not_connected),
    e.FriendUnknown: ("friend_unknown", _says("No such friendship")),
    e.NeverDelivered: ("never_delivered", _says("Nothing with this offset was delivered")),
    e.InviteExpired: ("invite_expired", _says("Invitation code has expired")),
    e.AlreadyExpired: ("already_expired", _says("Message has already expired")),
    e.NameTaken: ("name_taken", _says("Username already taken")),
    e.IdReused: ("id_reused", _says("Message id was already used for another message")),
    e.TooLarge: ("too_large", _says("Message too large")),
    e.AskLimit: ("rate_limited", _ask_limit),
    e.TooManyAttempts: ("too_many_attempts", _says("Too many attempts. Try again later.")),
    e.TooManyInvites: ("too_many_invites", _says("Too many open invitations")),
    e.MailboxFull: ("mailbox_full", _mailbox_full),
    e.Unconfirmed: ("unconfirmed", _unconfirmed),
    e.NotDurable: ("not_durable", _TRANSIENT),
}
"""mAgi, section 5: error class -> short machine name (MAGI-45) and exact text."""

CODES = frozenset(code for code, _ in MAGI1.values())


def find(rows: Mapping[type[e.ExchangeError], Row], error: e.ExchangeError) -> Row:
    """Return the row of an error's class, or of its nearest ancestor that has one."""
    return next(rows[kind] for kind in type(error).__mro__ if kind in rows)


def lookup(error: e.ExchangeError) -> tuple[str, Text]:
    """Return the mAgi row of an error."""
    return find(MAGI1, error)


def code_of(error: e.ExchangeError) -> str:
    """Return the short machine name of a refusal: one of ``CODES``."""
    return lookup(error)[0]


# --- CoralMux --------------------------------------------------------------------------------------------------------

Frame = Callable[[e.ExchangeError], AuthFail | ChatError | None]


def _frame(frame: AuthFail | ChatError | None) -> Frame:
    return lambda _error: frame


def _role_unknown(error: e.ExchangeError) -> AuthFail:
    assert isinstance(error, e.RoleUnknown)
    return AuthFail(ErrorCode.UNAUTHORIZED, f"invalid role: {error.role[:RELAY_ECHO_CHARACTERS]}")


_NOTHING = _frame(None)
_NOT_AUTH = _frame(ChatError(ErrorCode.UNAUTHORIZED, "First message must be auth"))
_UNUSABLE = _frame(AuthFail(ErrorCode.UNAUTHORIZED, "Invalid auth payload"))
_UNKNOWN = _frame(AuthFail(ErrorCode.UNAUTHORIZED, "Invalid pairing token"))
_BANDWIDTH = "Bandwidth quota exceeded"

# An agent that reads auth.fail ends for good, so only these three rows may say it (CORAL-7).
CORALMUX_FIRST: dict[type[e.ExchangeError], Frame] = {
    e.ExchangeError: _NOT_AUTH,
    e.Malformed: _frame(ChatError(ErrorCode.INVALID_MESSAGE, "Invalid JSON")),
    e.PairingUnusable: _UNUSABLE,
    e.PairUnknown: _UNKNOWN,
    e.RoleUnknown: _role_unknown,
    e.Unavailable: _NOTHING,
}
"""CoralMux before authentication (CORAL-6): error class -> frame. ``None``: nothing is said."""

CORALMUX: dict[type[e.ExchangeError], tuple[str, Frame]] = {
    e.ExchangeError: ("refused", _frame(ChatError(ErrorCode.INVALID_MESSAGE, "Message cannot be handled"))),
    e.Malformed: ("malformed", _frame(ChatError(ErrorCode.INVALID_MESSAGE, "Invalid JSON message"))),
    e.Unauthorized: ("not_identified", _NOT_AUTH),
    e.PairingUnusable: ("pairing_unusable", _NOT_AUTH),
    e.PairUnknown: ("pair_unknown", _NOT_AUTH),
    e.RoleUnknown: ("role_unknown", _NOT_AUTH),
    e.RoleForbidden: (
        "role_forbidden",
        _frame(ChatError(ErrorCode.INVALID_MESSAGE, "Phone cannot send stream messages")),
    ),
    e.TooLarge: ("too_large", _frame(ChatError(ErrorCode.MESSAGE_TOO_LARGE, "Message exceeds 5MB limit"))),
    e.Limited: ("rate_limited", _frame(ChatError(ErrorCode.RATE_LIMITED, "Rate limit exceeded", 1000))),
    e.DailyQuotaExceeded: ("daily_quota", _frame(ChatError(ErrorCode.DAILY_QUOTA_EXCEEDED, _BANDWIDTH, 60_000))),
    e.MonthlyQuotaExceeded: ("monthly_quota", _frame(ChatError(ErrorCode.MONTHLY_QUOTA_EXCEEDED, _BANDWIDTH, 60_000))),
    e.PeerAbsent: ("peer_absent", _frame(ChatError(ErrorCode.PEER_OFFLINE, "Peer is not connected"))),
    e.PeerBusy: ("peer_busy", _frame(ChatError(ErrorCode.PEER_OFFLINE, "Peer send buffer full", 1000))),
    e.Unavailable: ("unavailable", _NOTHING),
}
"""CoralMux after it (CORAL-19): error class -> short machine name, which holds before it too, and frame."""

CORALMUX_CODES = frozenset(code for code, _ in CORALMUX.values())
