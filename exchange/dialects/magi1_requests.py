"""Requests of the mAgi wire as commands.

Values that a handler refuses in the order of the wire are passed on as ``None``. Requests of section 12 have no such
order: what is wrong with one of them is said at once, but only to a session that has its feature (:class:`Misfit`).
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from exchange.core import commands as c
from exchange.core.errors import Malformed, UnknownRequest, Unusable
from exchange.core.features import FEATURES
from exchange.core.model import Kind
from exchange.dialects.errors import REQUESTS
from magi.wire import grammar, magi1
from magi.wire import magi1_requests as wire
from magi.wire.limits import CODE_CHARACTERS, CODE_CHARACTERS_MOST, HISTORY_COUNT, TRACE_HOPS

UNUSABLE: Final = "\0"
"""Stands for a token or a name that was given and cannot be one: no token and no username has a control character."""

_NO_CONTENT: Final = frozenset({b"", b"null"})
_QUESTION: Final = Kind.QUESTION  # once a message: a look at the enumeration costs as much as a call
_ANSWER: Final = Kind.ANSWER


class Misfit(Malformed):
    """The request has a value that cannot be used."""

    def __init__(self, request: type[c.Command[Any]], fault: Malformed, id_: str) -> None:
        """``fault`` is what is wrong with a ``request``, for those who may know that there is such a request."""
        super().__init__(str(fault))
        self.request = request
        self.fault = fault
        self.id = id_

    def unknown(self) -> UnknownRequest:
        """Return what everybody else is told."""
        return UnknownRequest(REQUESTS[self.request])


# --- of every client (section 3) -------------------------------------------------------------------------------------


def _id(value: Any) -> str:
    if value is None:
        return ""
    usable = grammar.message_id(value)
    if usable is None:
        raise Malformed
    return usable


def _features(value: Any) -> frozenset[str] | None:
    if not isinstance(value, list):
        return None
    return FEATURES.intersection(wanted for wanted in value if isinstance(wanted, str))


def _token(value: Any) -> str:
    return "" if value is None else grammar.token(value) or UNUSABLE


def _identify(frame: wire.Identify | wire.Connect) -> c.Identify:
    name = grammar.username(frame.username)
    nick = grammar.nickname(frame.nickname, name or "")
    return c.Identify(_id(frame.id), name, nick, _features(frame.features), _token(frame.token))


def _create_invite(frame: wire.CreateInvite) -> c.CreateInvite:
    # A plain client may send anything under these keys: whether it matters is for the handler to say, who knows.
    characters = 0
    if frame.length is not None:
        usable = type(frame.length) is int and CODE_CHARACTERS <= frame.length <= CODE_CHARACTERS_MOST
        characters = frame.length if usable else -1
    for_name = "" if frame.for_ is None else grammar.username(frame.for_) or UNUSABLE
    # Whatever it is but a clear no: better one agreement too many than an invitation more open than was meant.
    confirm = frame.confirm is not None and frame.confirm is not False
    return c.CreateInvite(_id(frame.id), characters, for_name, confirm)


def _connect(frame: wire.Connect) -> c.Redeem:
    # "Present and truthy" as the original clients' language reads it: only these five count as absent.
    inline = frame.username is not None and frame.username not in ("", False, 0, 0.0)
    return c.Redeem(_id(frame.id), grammar.code(frame.code), _identify(frame) if inline else None)


def _target(value: Any) -> str:
    return "" if value is None else magi1.encode(value).decode()


def _send(frame: wire.Ask | wire.Answer, kind: Kind, reply_to: Any) -> c.Send:
    body = bytes(frame.content)
    to = frame.to if type(frame.to) is str else _target(frame.to)
    command = c.Send("", kind, to, None if body in _NO_CONTENT else body, _characters(body))
    if frame.id is not None or frame.trace is not None or frame.expires is not None or reply_to is not None:
        command.id = _id(frame.id)
        command.trace = _trace(frame.trace)
        command.expires_ms = frame.expires if type(frame.expires) is int and frame.expires > 0 else 0
        command.reply_to = grammar.message_id(reply_to) or ""
    return command


def _characters(body: bytes) -> int:
    """Count as MAGI-43 does: the characters of a string, else those of the JSON text."""
    quoted = body[:1] == b'"'
    if quoted and b"\\" in body:
        return len(msgspec.json.decode(body, type=str))
    characters = len(body) if body.isascii() else len(body.decode())
    return characters - 2 if quoted else characters


def _trace(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > TRACE_HOPS:
        return ()
    hops = [grammar.message_id(hop) for hop in value]
    return tuple(hop for hop in hops if hop is not None)


# --- of extended clients (section 12) --------------------------------------------------------------------------------


def _needed(value: str | None, field: str) -> str:
    if value is None:
        raise Unusable(field)
    return value


def _ack(frame: wire.Ack) -> c.Ack:
    return c.Ack(_id(frame.id), _needed(grammar.offset(frame.upTo), "upTo"))


def _about(
    command: type[c.Unfriend | c.Block | c.Unblock], frame: wire.Unfriend | wire.Block | wire.Unblock
) -> c.Unfriend | c.Block | c.Unblock:
    return command(_id(frame.id), _needed(grammar.username(frame.username), "username"))


def _presence(frame: wire.Presence) -> c.SetPresence:
    status = None if frame.status is None else _needed(grammar.status(frame.status), "status")
    capabilities = None
    if frame.capabilities is not None:
        capabilities = grammar.capabilities(frame.capabilities)
        if capabilities is None:
            raise Unusable("capabilities")
    return c.SetPresence(_id(frame.id), status, capabilities)


def _history(frame: wire.History) -> c.ReadHistory:
    connection = _needed(grammar.message_id(frame.connectionId), "connectionId")
    before = "" if frame.before is None else _needed(grammar.offset(frame.before), "before")
    most = 0
    if frame.limit is not None:
        if type(frame.limit) is not int or frame.limit < 1:
            raise Unusable("limit")
        most = min(frame.limit, HISTORY_COUNT)
    return c.ReadHistory(_id(frame.id), connection, before, most)


def _confirm(frame: wire.Confirm) -> c.Confirm:
    if not isinstance(frame.code, str):
        raise Unusable("code")
    # A string that no code looks like is the code of no invitation, as in a redeem.
    return c.Confirm(_id(frame.id), grammar.code(frame.code), _needed(grammar.username(frame.username), "username"))


Make = Callable[[Any], c.Command[object]]


def _extended(command: type[c.Command[Any]], make: Make) -> Make:
    def made(frame: Any) -> c.Command[object]:
        try:
            return make(frame)
        except Malformed as fault:
            raise Misfit(command, fault, grammar.message_id(frame.id) or "") from None

    return made


ASK: Final[dict[type[Any], Make]] = {
    wire.Identify: _identify,
    wire.CreateInvite: _create_invite,
    wire.Connect: _connect,
    wire.Ask: lambda frame: _send(frame, _QUESTION, None),
    wire.Answer: lambda frame: _send(frame, _ANSWER, frame.replyTo),
    wire.Ack: _extended(c.Ack, _ack),
    wire.Friends: _extended(c.ListFriends, lambda frame: c.ListFriends(_id(frame.id))),
    wire.Unfriend: _extended(c.Unfriend, lambda frame: _about(c.Unfriend, frame)),
    wire.Block: _extended(c.Block, lambda frame: _about(c.Block, frame)),
    wire.Unblock: _extended(c.Unblock, lambda frame: _about(c.Unblock, frame)),
    wire.Presence: _extended(c.SetPresence, _presence),
    wire.History: _extended(c.ReadHistory, _history),
    wire.Confirm: _extended(c.Confirm, _confirm),
}
"""The command that every request asks for."""
