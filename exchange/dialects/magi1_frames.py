"""Replies and events as frames of the mAgi wire. Fields of section 12 go only to a session that has their feature."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import UNSET, Raw, Struct

from exchange.core import commands as c
from exchange.core.events import Delivered, Draining, FriendCame, FriendChanged, FriendWent, Greeted, MailLost
from exchange.core.features import IDS, OBJECTS, OFFLINE, PRESENCE, RESUME
from exchange.core.model import Kind, Link, Record
from exchange.core.session import Session
from magi.wire import magi1
from magi.wire import magi1_frames as wire

_encode: Final = magi1.encode
_question: Final = int(Kind.QUESTION)
_answer: Final = int(Kind.ANSWER)
_expired: Final = int(Kind.EXPIRED)


def _friend(session: Session, link: Link) -> wire.Friend:
    friend = wire.Friend(link.name, link.nick)
    if PRESENCE in session.features:
        friend.online = not link.waiting
    if OBJECTS in session.features:
        friend.features = sorted(link.features)
    return friend


# --- replies ---------------------------------------------------------------------------------------------------------


def _echo(command: c.Command[object]) -> Any:
    return command.id or UNSET


def _identified(session: Session, command: c.Command[object], reply: c.Identified) -> wire.Identified:
    frame = wire.Identified(reply.name, reply.nick, session.client, id=_echo(command))
    if reply.features is not None:
        frame.features = sorted(reply.features)
    if reply.token:
        frame.token = reply.token
    return frame


def _invite_created(session: Session, command: c.Command[object], reply: c.InviteCreated) -> wire.InviteCreated:
    minutes = max(1, reply.life_ms // 60_000)
    life = "1 minute" if minutes == 1 else f"{minutes} minutes"
    expires = reply.expires_ms if session.features else UNSET
    return wire.InviteCreated(reply.code, reply.nick, life, expires, _echo(command))


def _redeemed(session: Session, command: c.Command[object], reply: c.Redeemed) -> Sequence[Struct]:
    frame = wire.ConnectedToFriend(reply.link.connection, _friend(session, reply.link), _echo(command))
    return (frame,) if reply.identified is None else (_identified(session, command, reply.identified), frame)


def _friends(command: c.Command[object], reply: c.FriendList) -> wire.FriendsListed:
    entries = [
        wire.Friendship(link.name, link.nick, link.connection, not link.waiting, sorted(link.features))
        for link in reply.links
    ]
    return wire.FriendsListed(entries, _echo(command))


def _message(record: Record) -> wire.HistoryMessage:
    kind = "question" if record.kind == _question else "answer"
    body = Raw(record.body)
    reply_to = record.reply_to or UNSET
    return wire.HistoryMessage(record.id, kind, record.mine, body, record.at_ms, record.offset, reply_to)


def _history(command: c.Command[object], reply: c.HistoryPage) -> wire.HistoryRead:
    return wire.HistoryRead(reply.connection, [_message(one) for one in reply.records], reply.more, _echo(command))


ANSWER: Final[dict[type[Any], Callable[[Session, Any, Any], Sequence[Struct]]]] = {
    c.Identified: lambda session, command, reply: (_identified(session, command, reply),),
    c.InviteCreated: lambda session, command, reply: (_invite_created(session, command, reply),),
    c.Redeemed: _redeemed,
    c.Acked: lambda _session, _command, _reply: (),
    c.FriendList: lambda _session, command, reply: (_friends(command, reply),),
    c.Unfriended: lambda _session, command, reply: (wire.Unfriended(reply.name, _echo(command)),),
    c.Blocked: lambda _session, command, reply: (wire.Blocked(reply.name, _echo(command)),),
    c.Unblocked: lambda _session, command, reply: (wire.Unblocked(reply.name, _echo(command)),),
    c.PresenceUpdated: lambda _session, command, reply: (
        wire.PresenceUpdated(reply.status, reply.capabilities, _echo(command)),
    ),
    c.HistoryPage: lambda _session, command, reply: (_history(command, reply),),
    c.Confirmed: lambda _session, command, reply: (wire.Confirmed(reply.name, _echo(command)),),
}
"""The frames that answer a command, in order. ``Sent``, once a message, is made in ``Magi1.answer``."""

# --- events ----------------------------------------------------------------------------------------------------------


def delivered(session: Session, event: Delivered) -> bytes | None:
    """Translate an envelope: a question, an answer, or what became of mail; the last only for ``offline``."""
    envelope = event.envelope
    push: wire.Question | wire.Answered
    if envelope.kind == _question:
        push = wire.Question(Raw(envelope.body), event.name, event.nick)
    elif envelope.kind == _answer:
        push = wire.Answered(Raw(envelope.body), event.name, event.nick)
    else:
        return _fate(session, event)
    if IDS in session.features:
        push.id = envelope.id
        push.ts = envelope.accepted_ms
        if envelope.trace:
            push.trace = envelope.trace
        if envelope.expires_ms:
            push.expires = envelope.expires_ms
        if envelope.reply_to and isinstance(push, wire.Answered):
            push.replyTo = envelope.reply_to
        if event.offset and OFFLINE in session.features:
            push.offset = event.offset
    return _encode(push)


def _fate(session: Session, event: Delivered) -> bytes | None:
    if OFFLINE not in session.features:
        return None
    notice = event.envelope
    ended = wire.Expired if notice.kind == _expired else wire.Parked
    # The message is what the notice is about; its own id is only ever seen by the mailbox.
    return _encode(ended(notice.reply_to, notice.name, event.offset))


def _changed(session: Session, event: FriendChanged) -> wire.Frame:
    link = event.link
    friend = _friend(session, link)
    if PRESENCE not in session.features:
        return wire.FriendDisconnected(friend) if link.waiting else wire.FriendConnected(link.connection, friend)
    frame = wire.FriendPresence(friend, not link.waiting)
    if not link.waiting:
        frame.status = link.status or UNSET
        frame.capabilities = link.capabilities or UNSET
    return frame


def _lost(session: Session, event: MailLost) -> wire.Gap | None:
    return wire.Gap(event.since_ms) if OFFLINE in session.features else None


def _draining(session: Session, event: Draining) -> wire.Draining | None:
    return wire.Draining(event.after_ms, event.until_ms) if RESUME in session.features else None


TELL: Final[dict[type[Any], Callable[[Session, Any], wire.Frame | None]]] = {
    Greeted: lambda _session, event: wire.Connected(event.client),
    FriendCame: lambda session, event: wire.FriendConnected(event.link.connection, _friend(session, event.link)),
    FriendWent: lambda _session, event: wire.FriendDisconnected(wire.Friend(event.name, event.nick)),
    FriendChanged: _changed,
    MailLost: _lost,
    Draining: _draining,
}
"""The frame that tells an event, ``None`` if a session has no words for it. ``Delivered`` has a way of its own."""
