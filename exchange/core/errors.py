"""Everything the exchange can refuse, by whose move is next.

::

    ExchangeError
    ├── Malformed            the client must send something else
    │   ├── Unparsed
    │   ├── NameUnusable
    │   ├── UnknownRequest
    │   ├── NotGranted
    │   ├── ContentMissing
    │   └── Unusable
    ├── Unauthorized         the client must say who it is first
    │   ├── NotIdentified
    │   ├── TokenInvalid
    │   ├── PairingUnusable
    │   ├── PairUnknown
    │   └── RoleUnknown
    ├── Refused              the client may not do this
    │   ├── OwnInvite
    │   ├── NotLinked
    │   ├── BlockedByYou
    │   └── RoleForbidden
    ├── Missing              what was named is not there
    │   ├── InviteUnknown
    │   ├── UserUnknown
    │   ├── NoFriends
    │   ├── NotConnected
    │   ├── FriendUnknown
    │   ├── NeverDelivered
    │   └── PeerAbsent
    ├── Gone                 it was there
    │   ├── InviteExpired
    │   └── AlreadyExpired
    ├── Conflict             somebody else has it
    │   ├── NameTaken
    │   └── IdReused
    ├── TooLarge             the client must send less
    ├── Limited              the client must wait (``retry_after_ms``)
    │   ├── AskLimit
    │   ├── TooManyAttempts
    │   ├── TooManyInvites
    │   ├── MailboxFull
    │   ├── Unconfirmed
    │   ├── RateExceeded
    │   ├── DailyQuotaExceeded
    │   ├── MonthlyQuotaExceeded
    │   └── PeerBusy
    └── Unavailable          the exchange must recover; the same request may succeed later
        ├── StorageUnavailable
        └── NotDurable

The first line of a class docstring is the default message: one sentence, fit for a user. What a wire says instead stands in
``exchange.dialects.errors``. Nothing internal goes into a message.
"""


class ExchangeError(Exception):
    """The request was refused."""

    retryable = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class Malformed(ExchangeError):
    """The message could not be understood."""


class Unparsed(Malformed):
    """The message is not in the format of this wire."""


class NameUnusable(Malformed):
    """A username has 1 to 254 visible characters."""


class UnknownRequest(Malformed):
    """There is no request of this type."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"There is no request of type {type_}.")
        self.type = type_


class NotGranted(Malformed):
    """This request needs a feature that the session was not granted."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"This request needs the feature {feature}.")
        self.feature = feature


class Unusable(Malformed):
    """A value of the request cannot be used."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The value of {what} cannot be used.")
        self.what = what


class ContentMissing(Malformed):
    """The message has no content."""


class Unauthorized(ExchangeError):
    """Say who you are first."""


class NotIdentified(Unauthorized):
    """Identify with a username first."""


class TokenInvalid(Unauthorized):
    """This resume token is not valid for this username."""


class PairingUnusable(Unauthorized):
    """This is not how a pairing is proved."""


class PairUnknown(Unauthorized):
    """There is no pairing with this token."""


class RoleUnknown(Unauthorized):
    """A pairing has no such role."""

    def __init__(self, role: str) -> None:
        super().__init__(f"A pairing has no role {role}.")
        self.role = role


class Refused(ExchangeError):
    """That is not allowed."""


class OwnInvite(Refused):
    """An invitation is for somebody else."""


class NotLinked(Refused):
    """You are not connected with this user."""

    def __init__(self, nick: str) -> None:
        super().__init__(f"You are not connected with {nick}.")
        self.nick = nick


class BlockedByYou(Refused):
    """You have blocked this user."""

    def __init__(self, name: str) -> None:
        super().__init__(f"You have blocked {name}.")
        self.name = name


class RoleForbidden(Refused):
    """Only the other side of a pairing may send this."""


class Missing(ExchangeError):
    """There is no such thing."""


class InviteUnknown(Missing):
    """This invitation code is not valid."""


class UserUnknown(Missing):
    """There is no such user here now."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no user {name} here now.")
        self.name = name


class NoFriends(Missing):
    """You have no friends here yet."""


class NotConnected(Missing):
    """Your friend is not connected."""

    def __init__(self, nick: str = "") -> None:
        super().__init__(f"{nick or 'Your friend'} is not connected.")
        self.nick = nick


class FriendUnknown(Missing):
    """You have no such friendship."""


class NeverDelivered(Missing):
    """Nothing with this offset was delivered to you."""


class PeerAbsent(Missing):
    """The other side of this pairing is not connected."""


class Gone(ExchangeError):
    """It is no longer there."""


class InviteExpired(Gone):
    """This invitation code has expired."""


class AlreadyExpired(Gone):
    """The message has expired before it was sent."""


class Conflict(ExchangeError):
    """Somebody else has it."""


class NameTaken(Conflict):
    """Somebody else holds this username now."""


class IdReused(Conflict):
    """This message id was used for another message."""


class TooLarge(ExchangeError):
    """The message is too large."""


class Limited(ExchangeError):
    """Too many requests; wait a little."""

    retryable = True

    def __init__(self, retry_after_ms: int = 0) -> None:
        super().__init__()
        self.retry_after_ms = retry_after_ms


class AskLimit(Limited):
    """Too many questions; wait a little."""


class TooManyAttempts(Limited):
    """Too many wrong invitation codes; wait a minute."""


class TooManyInvites(Limited):
    """Too many open invitations."""


class MailboxFull(Limited):
    """Your friend's mailbox is full; try again later."""

    def __init__(self, nick: str = "") -> None:
        super().__init__()
        self.nick = nick


class Unconfirmed(Limited):
    """The inviter has to agree first; try again in a moment."""

    def __init__(self, nick: str = "", retry_after_ms: int = 5_000) -> None:
        super().__init__(retry_after_ms)
        self.nick = nick


class RateExceeded(Limited):
    """Too many messages; wait a little."""


class DailyQuotaExceeded(Limited):
    """This pairing has used up what it may pass on today."""


class MonthlyQuotaExceeded(Limited):
    """This pairing has used up what it may pass on this month."""


class PeerBusy(Limited):
    """The other side of this pairing does not keep up; wait a little."""


class Unavailable(ExchangeError):
    """The exchange cannot do this right now; please try again."""

    retryable = True


class StorageUnavailable(Unavailable):
    """The store cannot be reached right now; please try again.

    ``sent`` is false when the command certainly did not run; otherwise its outcome is unknown.
    """

    def __init__(self, message: str = "", *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class NotDurable(Unavailable):
    """The message is not safe yet; sending it again with the same id is."""
