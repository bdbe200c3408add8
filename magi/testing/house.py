"""What a scripted exchange does by itself: names, friends, mailboxes. Few and simple rules, without a socket.

They follow docs/protocols/magi.md where a client can tell. Two things are simpler: friendships last, also those of plain
clients, and nobody changes its name.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET

from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r

INVITE_MS: Final = 30 * 60_000


@dataclass(eq=False, slots=True)
class Account:
    """What the exchange knows of one username."""

    username: str
    features: frozenset[str]
    """What its client was granted last; until it first came, all that there is."""
    nickname: str = ""
    here: bool = False
    """Whether it is connected."""
    tokens: tuple[str, ...] = ()
    """The newest, and the one that it was given for."""
    friends: dict[str, str] = field(default_factory=dict)
    """Username -> connection id, oldest first."""
    mail: list[Any] = field(default_factory=list)
    """Frames with an offset that were not acknowledged yet."""
    receipts: dict[str, f.Frame] = field(default_factory=dict)
    """By message id: a repeat has no second effect."""
    status: str = ""
    capabilities: tuple[str, ...] = ()
    served: bool = False
    stalled: bool = False
    loses: type[r.Request] | None = None
    """The request whose reply gets lost."""


Deliveries: TypeAlias = Iterator[tuple[Account, f.Frame]]
"""Who gets what, in this order."""


class House:
    """All accounts of one exchange. ``features`` are those that it grants; with none it is a plain one."""

    def __init__(self, features: frozenset[str]) -> None:
        self._features = features
        self._accounts: dict[str, Account] = {}
        self._invites: dict[str, Account] = {}
        self._numbers = itertools.count(1)
        self._rules: dict[type[r.Request], Callable[[Account, Any], Deliveries]] = {
            r.CreateInvite: self._create_invite,
            r.Connect: self._connect,
            r.Ask: self._forward,
            r.Answer: self._forward,
        }
        if features:
            self._rules |= {
                r.Ack: self._ack,
                r.Friends: self._friends,
                r.Unfriend: self._unfriend,
                r.Block: self._unfriend,
                r.Unblock: self._unblock,
                r.Presence: self._presence,
            }

    def account(self, username: str) -> Account:
        """Return the account of a username, made when it is first heard of."""
        return self._accounts.setdefault(username, Account(username, self._features, username))

    def new(self, what: str) -> str:
        """Return a name that nothing else has."""
        return f"{what}{next(self._numbers)}"

    def signed(self, request: Any, frame: Any) -> f.Frame:
        """Return a reply as this exchange sends it: with the ``id`` of its request, or without anything of section 12."""
        if self._features:
            id_ = request.id if isinstance(request.id, str) else UNSET
            signed: f.Frame = msgspec.structs.replace(frame, id=id_)
            return signed
        return f.Error(frame.message) if isinstance(frame, f.Error) else frame

    # --- coming and going --------------------------------------------------------------------------------------------

    def identify(self, account: Account, request: r.Identify, *, again: bool) -> f.Identified | f.Error:
        """Say whether a client gets this name; ``again``: it has it already (MAGI-18, MAGI-19, MAGI-46)."""
        given = request.token if self._features else None
        if given is not None and given not in account.tokens:
            return f.Error("Resume token is not valid", code="token_invalid")
        bound = bool(account.tokens and account.friends)
        if given is None and not again and (account.here or bound):
            return f.Error("Username already taken", code="name_taken")
        extended = bool(self._features) and isinstance(request.features, list)
        if extended or not again:
            account.features = self._features.intersection(request.features) if extended else frozenset()
        account.nickname = request.nickname or account.username
        identified = f.Identified(account.username, account.nickname, self.new("client"))
        if extended:
            identified.features = sorted(account.features)
        if "resume" in account.features and not again:
            identified.token = self.new("token")
            account.tokens = (identified.token, *([given] if given else []))
        return identified

    def came(self, account: Account) -> Deliveries:
        """What everybody hears when a user has identified, and the mail that waits for it."""
        for other, connection in self._friends_of(account):
            if other.here:
                yield other, self._presence_of(account, other, connection)
                if "persist" not in account.features:  # it does not ask for its friends
                    yield account, f.FriendConnected(connection, _seen(other, account))
        if "offline" in account.features:
            yield from ((account, frame) for frame in account.mail)

    def left(self, account: Account) -> Deliveries:
        """What friends hear when a user has gone."""
        for other, connection in self._friends_of(account):
            yield other, self._presence_of(account, other, connection)

    def befriend(self, one: Account, other: Account) -> Deliveries:
        """Make two users friends, if they are not, and tell both."""
        connection = self._join(one, other)
        yield one, f.FriendConnected(connection, _seen(other, one))
        yield other, f.FriendConnected(connection, _seen(one, other))

    # --- requests ----------------------------------------------------------------------------------------------------

    def answer(self, account: Account, request: Any) -> Deliveries:
        """Do what a user wants. The frame for this user is the reply."""
        rule = self._rules.get(type(request), self._unknown)
        for to, frame in rule(account, request):
            yield to, self.signed(request, frame) if to is account else frame

    def stored(self, account: Account, frame: Any) -> f.Frame:
        """Put a frame into a mailbox and return it with its offset."""
        stored: f.Frame = msgspec.structs.replace(frame, offset=f"{next(self._numbers)}-0")
        account.mail.append(stored)
        return stored

    def ack(self, account: Account, request: r.Ack) -> None:
        """Take out of a mailbox what is safe with its user (MAGI-48)."""
        account.mail = [frame for frame in account.mail if _number(frame.offset) > _number(request.upTo)]

    def _forward(self, account: Account, request: r.Ask | r.Answer) -> Deliveries:
        if request.id in account.receipts:
            yield account, account.receipts[request.id]
            return
        target = self._target(account, request.to)
        if isinstance(target, f.Error):
            yield account, target
            return
        frame: Any = self._message(account, target, request)
        stored = "offline" in account.features and "offline" in target.features
        if stored:
            frame = self.stored(target, frame)
        elif not target.here:
            yield account, f.Error(f"{target.nickname} is not connected", code="not_connected")
            return
        status = ("queued" if not target.here else "delivered") if stored else UNSET
        sent = f.QuestionSent if isinstance(request, r.Ask) else f.AnswerSent
        receipt = sent(content=request.content, to=target.nickname, status=status)
        if isinstance(request.id, str):
            account.receipts[request.id] = receipt
        yield target, frame  # before the receipt (MAGI-12)
        yield account, receipt

    def _message(self, account: Account, target: Account, request: Any) -> f.Frame:
        kind = f.Question if isinstance(request, r.Ask) else f.Answered
        frame = kind(content=request.content, from_=account.username, fromNickname=account.nickname)
        if "ids" in target.features:
            frame.id = request.id if isinstance(request.id, str) else self.new("message")
            frame.ts = time.time_ns() // 1_000_000
            frame.expires = request.expires or UNSET
            frame.trace = tuple(request.trace) if request.trace else UNSET
            if isinstance(frame, f.Answered):
                frame.replyTo = request.replyTo or UNSET
        return frame

    def _target(self, account: Account, to: str | None) -> Account | f.Error:
        if not account.friends:
            return f.Error("No active connection", code="no_friends")
        if to and to not in account.friends:
            return f.Error(f"User '{to}' not found or not connected", code="user_unknown")
        return self.account(to or list(account.friends)[-1])

    def _create_invite(self, account: Account, _request: r.CreateInvite) -> Deliveries:
        code = f"CODE{next(self._numbers):02}"
        self._invites[code] = account
        invite = f.InviteCreated(code=code, from_=account.nickname, expiresIn="30 minutes")
        if self._features:
            invite.expiresAt = time.time_ns() // 1_000_000 + INVITE_MS
        yield account, invite

    def _connect(self, account: Account, request: r.Connect) -> Deliveries:
        code = str(request.code).strip().upper()
        inviter = self._invites.get(code)
        if inviter is None:
            yield account, f.Error("Invalid or expired invitation code", code="invite_unknown")
        elif inviter is account:
            yield account, f.Error("Cannot connect to your own invitation", code="own_invite")
        else:
            del self._invites[code]
            connection = self._join(account, inviter)
            yield account, f.ConnectedToFriend(connection, _seen(inviter, account))
            yield inviter, f.FriendConnected(connection, _seen(account, inviter))

    def _ack(self, account: Account, request: r.Ack) -> Deliveries:
        self.ack(account, request)
        yield from ()

    def _friends(self, account: Account, _request: r.Friends) -> Deliveries:
        listed = [
            f.Friendship(other.username, other.nickname, connection, other.here, sorted(other.features))
            for other, connection in self._friends_of(account)
        ]
        yield account, f.FriendsListed(listed)

    def _unfriend(self, account: Account, request: r.Unfriend | r.Block) -> Deliveries:
        other = self.account(request.username)
        if account.friends.pop(other.username, None):
            del other.friends[account.username]
            yield other, f.FriendDisconnected(f.Friend(account.username, account.nickname))
        elif isinstance(request, r.Unfriend):
            yield account, f.Error("No such friendship", code="friend_unknown")
            return
        yield account, (f.Blocked if isinstance(request, r.Block) else f.Unfriended)(other.username)

    def _unblock(self, account: Account, request: r.Unblock) -> Deliveries:
        yield account, f.Unblocked(request.username)

    def _presence(self, account: Account, request: r.Presence) -> Deliveries:
        if request.status is not None:
            account.status = request.status
        if request.capabilities is not None:
            account.capabilities = tuple(request.capabilities)
        yield account, f.PresenceUpdated(account.status, account.capabilities)
        for other, connection in self._friends_of(account):
            if "presence" in other.features:
                yield other, self._presence_of(account, other, connection)

    def _unknown(self, account: Account, request: r.Request) -> Deliveries:
        type_ = request.__struct_config__.tag
        yield account, f.Error(f"Unknown message type: {type_}", code="unknown_type")

    # --- friends -----------------------------------------------------------------------------------------------------

    def _join(self, one: Account, other: Account) -> str:
        connection = one.friends.get(other.username) or self.new("connection")
        one.friends[other.username] = other.friends[one.username] = connection
        return connection

    def _friends_of(self, account: Account) -> list[tuple[Account, str]]:
        return [(self.account(name), connection) for name, connection in account.friends.items()]

    def _presence_of(self, account: Account, viewer: Account, connection: str) -> f.Frame:
        """Say to a friend that a user came, went, or says something else of itself."""
        if "presence" in viewer.features:
            status, capabilities = (account.status, account.capabilities) if account.here else ("", ())
            return f.FriendPresence(_seen(account, viewer), account.here, status or UNSET, capabilities or UNSET)
        if account.here:
            return f.FriendConnected(connection, _seen(account, viewer))
        return f.FriendDisconnected(f.Friend(account.username, account.nickname))


def _seen(account: Account, viewer: Account) -> f.Friend:
    """Return a user as a friend sees it."""
    friend = f.Friend(account.username, account.nickname)
    if "presence" in viewer.features:
        friend.online = account.here
    if "objects" in viewer.features:
        friend.features = sorted(account.features)
    return friend


def _number(offset: str) -> int:
    return int(offset.partition("-")[0])
