"""The one map from refusals to what each wire says, looked up along the error's ancestors. Proved total by a test."""

import math
from collections.abc import Callable

from exchange.core import errors as e
from exchange.core.commands import Command, CreateInvite, Send
from exchange.core.model import Kind
from magi.wire.limits import ECHO_CHARACTERS

Text = Callable[[e.ExchangeError, Command[object] | None], str]


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


MAGI1: dict[type[e.ExchangeError], tuple[str, Text]] = {
    e.ExchangeError: ("unavailable", _says("Service temporarily unavailable. Please try again.")),
    e.Malformed: ("malformed", _says("Invalid message format")),
    e.NameUnusable: ("name_unusable", _says("Username is required")),
    e.UnknownRequest: ("unknown_type", _unknown_request),
    e.NotIdentified: ("not_identified", _not_identified),
    e.OwnInvite: ("own_invite", _says("Cannot connect to your own invitation")),
    e.NotLinked: ("not_linked", _not_linked),
    e.InviteUnknown: ("invite_unknown", _says("Invalid or expired invitation code")),
    e.UserUnknown: ("user_unknown", _user_unknown),
    e.NoFriends: ("no_friends", _no_friends),
    e.NotConnected: ("not_connected", _not_connected),
    e.InviteExpired: ("invite_expired", _says("Invitation code has expired")),
    e.NameTaken: ("name_taken", _says("Username already taken")),
    e.TooLarge: ("too_large", _says("Message too large")),
    e.AskLimit: ("rate_limited", _ask_limit),
    e.TooManyAttempts: ("too_many_attempts", _says("Too many attempts. Try again later.")),
    e.TooManyInvites: ("too_many_invites", _says("Too many open invitations")),
}
"""mAgi, section 5: error class -> short machine name (MAGI-45) and exact text."""

CODES = frozenset(code for code, _ in MAGI1.values())


def lookup(error: e.ExchangeError) -> tuple[str, Text]:
    """Return the row of an error's class, or of its nearest ancestor that has one."""
    return next(MAGI1[kind] for kind in type(error).__mro__ if kind in MAGI1)


def code_of(error: e.ExchangeError) -> str:
    """Return the short machine name of a refusal: one of ``CODES``."""
    return lookup(error)[0]
