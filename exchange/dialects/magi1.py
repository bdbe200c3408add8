"""The mAgi wire, version 1, in terms of commands and events."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from exchange.core import commands as c
from exchange.core.errors import ExchangeError, Limited, Malformed, UnknownRequest, Unparsed
from exchange.core.events import Delivered, Event, FriendCame, FriendWent, Greeted
from exchange.core.model import Kind
from exchange.core.session import Session
from exchange.dialects.errors import code_of, lookup
from exchange.front import Ending
from magi.wire import grammar, magi1
from magi.wire.codes import INACTIVITY_REASON, CloseCode
from magi.wire.limits import TRACE_HOPS

IDS: Final = "ids"
FEATURES: Final = frozenset({IDS})
"""What an extended client can be granted so far (MAGI-45)."""

_NO_CONTENT: Final = frozenset({b"", b"null"})
_encode: Final = magi1.encode
_question: Final = int(Kind.QUESTION)


class Magi1:
    """The dialect of :mod:`magi.wire.magi1`. Holds no state; one object serves all sessions."""

    name = "magi"
    tells: frozenset[type[Event]] = frozenset({Greeted, FriendCame, FriendWent, Delivered})
    closes: Mapping[Ending, tuple[int, str]] = {
        Ending.IDLE: (CloseCode.INACTIVITY, INACTIVITY_REASON),
        Ending.DRAIN: (CloseCode.GOING_AWAY, ""),
        Ending.STORE: (CloseCode.TRY_AGAIN_LATER, ""),
    }

    def ask(self, message: bytes) -> c.Command[object]:
        """Translate a request.

        Raises:
            Unparsed: Not JSON, or not a JSON this wire can hold.
            Malformed: JSON ``null``, or an unusable message id.
            UnknownRequest: No request of this wire.
        """
        try:
            frame = magi1.decode(message)
        except magi1.Malformed as error:
            raise (Malformed if error.parsed else Unparsed) from None
        except magi1.UnknownType as error:
            raise UnknownRequest(error.type) from None
        return _ASK[type(frame)](frame)

    def answer(self, session: Session, command: c.Command[object], reply: c.Reply) -> Sequence[bytes]:
        """Translate a reply: one message, or two for a redeem that identified first (MAGI-8)."""
        if type(reply) is c.Sent:
            assert isinstance(command, c.Send)
            sent = magi1.QuestionSent if reply.kind == _question else magi1.AnswerSent
            return (_encode(sent(Raw(command.body or b"null"), reply.nick, command.id or UNSET)),)
        return _ANSWER[type(reply)](session, command, reply)

    def refuse(self, session: Session, command: c.Command[object] | None, error: ExchangeError) -> bytes:
        """Translate a refusal into the exact text of section 5; extended clients get its machine name too."""
        code, text = lookup(error)
        frame = magi1.Error(text(error, command))
        if command is not None and command.id:
            frame.id = command.id
        if session.features:
            frame.code = code
            if isinstance(error, Limited) and error.retry_after_ms:
                frame.retryAfterMs = error.retry_after_ms
        return _encode(frame)

    def tell(self, session: Session, event: Event) -> bytes:
        """Translate an event. Fields of section 12 go only to a session that was granted their feature."""
        if type(event) is Delivered:
            return _delivered(session, event)
        return _encode(_TELL[type(event)](event))

    def code(self, error: ExchangeError) -> str:
        """Return the short machine name of a refusal: one of ``exchange.dialects.errors.CODES``."""
        return code_of(error)


# --- requests --------------------------------------------------------------------------------------------------------


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


def _identify(frame: magi1.Identify | magi1.Connect) -> c.Identify:
    name = grammar.username(frame.username)
    return c.Identify(_id(frame.id), name, grammar.nickname(frame.nickname, name or ""), _features(frame.features))


def _connect(frame: magi1.Connect) -> c.Redeem:
    # "Present and truthy" as the original clients' language reads it: only these five count as absent.
    inline = frame.username is not None and frame.username not in ("", False, 0, 0.0)
    return c.Redeem(_id(frame.id), grammar.code(frame.code), _identify(frame) if inline else None)


def _target(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else _encode(value).decode()


def _send(frame: magi1.Ask | magi1.Answer, kind: Kind, reply_to: Any) -> c.Send:
    body = bytes(frame.content)
    command = c.Send("", kind, _target(frame.to), None if body in _NO_CONTENT else body, _characters(body))
    if frame.id is not None or frame.trace is not None or frame.expires is not None or reply_to is not None:
        command.id = _id(frame.id)
        command.trace = _trace(frame.trace)
        command.expires_ms = frame.expires if type(frame.expires) is int and frame.expires > 0 else 0
        command.reply_to = grammar.message_id(reply_to) or ""
    return command


def _characters(body: bytes) -> int:
    """Count as MAGI-43 does: the characters of a string, else those of the JSON text."""
    if body[:1] == b'"' and b"\\" in body:
        return len(msgspec.json.decode(body, type=str))
    characters = len(body) if body.isascii() else len(body.decode())
    return characters - 2 if body[:1] == b'"' else characters


def _trace(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > TRACE_HOPS:
        return ()
    hops = [grammar.message_id(hop) for hop in value]
    return tuple(hop for hop in hops if hop is not None)


_ASK: Final[dict[type[Any], Callable[[Any], c.Command[object]]]] = {
    magi1.Identify: _identify,
    magi1.CreateInvite: lambda frame: c.CreateInvite(_id(frame.id)),
    magi1.Connect: _connect,
    magi1.Ask: lambda frame: _send(frame, Kind.QUESTION, None),
    magi1.Answer: lambda frame: _send(frame, Kind.ANSWER, frame.replyTo),
}

# --- replies ---------------------------------------------------------------------------------------------------------


def _echo(command: c.Command[object]) -> Any:
    return command.id or UNSET


def _identified(session: Session, command: c.Command[object], reply: c.Identified) -> Sequence[bytes]:
    frame = magi1.Identified(reply.name, reply.nick, session.client, id=_echo(command))
    if reply.features is not None:
        frame.features = sorted(reply.features)
    return (_encode(frame),)


def _invite_created(session: Session, command: c.Command[object], reply: c.InviteCreated) -> Sequence[bytes]:
    minutes = max(1, reply.life_ms // 60_000)
    life = "1 minute" if minutes == 1 else f"{minutes} minutes"
    expires = reply.expires_ms if session.features else UNSET
    return (_encode(magi1.InviteCreated(reply.code, reply.nick, life, expires, _echo(command))),)


def _redeemed(session: Session, command: c.Command[object], reply: c.Redeemed) -> Sequence[bytes]:
    friend = magi1.Friend(reply.friend_name, reply.friend_nick)
    frame = _encode(magi1.ConnectedToFriend(reply.connection, friend, _echo(command)))
    return (frame,) if reply.identified is None else (*_identified(session, command, reply.identified), frame)


_ANSWER: Final[dict[type[Any], Callable[[Session, Any, Any], Sequence[bytes]]]] = {
    c.Identified: _identified,
    c.InviteCreated: _invite_created,
    c.Redeemed: _redeemed,
}

# --- events ----------------------------------------------------------------------------------------------------------


def _delivered(session: Session, event: Delivered) -> bytes:
    envelope = event.envelope
    push: magi1.Question | magi1.Answered
    if envelope.kind == _question:
        push = magi1.Question(Raw(envelope.body), event.name, event.nick)
    else:
        push = magi1.Answered(Raw(envelope.body), event.name, event.nick)
    if IDS in session.features:
        push.id = envelope.id
        push.ts = envelope.accepted_ms
        if envelope.trace:
            push.trace = envelope.trace
        if envelope.expires_ms:
            push.expires = envelope.expires_ms
        if envelope.reply_to and isinstance(push, magi1.Answered):
            push.replyTo = envelope.reply_to
    return _encode(push)


_TELL: Final[dict[type[Any], Callable[[Any], magi1.Frame]]] = {
    Greeted: lambda event: magi1.Connected(event.client),
    FriendCame: lambda event: magi1.FriendConnected(event.connection, magi1.Friend(event.name, event.nick)),
    FriendWent: lambda event: magi1.FriendDisconnected(magi1.Friend(event.name, event.nick)),
}
