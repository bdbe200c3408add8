"""Everything that can go wrong for a client, by whose move is next (CLI-13).

::

    MagiError
    ├── NotConnected         the exchange is out of reach; what was sent waits in the outbox
    ├── Displaced            another connection uses this name now
    ├── NameTaken            somebody else has this name
    ├── TokenRefused         the name is ours no more, or the token is lost
    ├── Refused              the exchange said no: ``text`` word for word, ``code``, ``retry_after_ms``
    │   ├── NotFriends
    │   ├── FriendAway
    │   ├── InviteRefused
    │   ├── RateLimited
    │   └── TooLarge
    ├── Unavailable          the exchange cannot do it now; the same request may succeed later
    ├── OutcomeUnknown       it may or may not have happened
    ├── StillOpen            no answer yet; the ask goes on
    ├── Declined             the friend will not answer
    ├── Expired              nobody answered in time
    ├── AlreadySettled       the question was answered, declined or acknowledged before
    ├── BadFrame             the exchange said something that is not of this wire
    ├── StoreLocked          another process has this profile
    └── ProfileError         the profile on this machine cannot be used
"""


class MagiError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class NotConnected(MagiError):
    """The exchange cannot be reached right now."""

    def __init__(self, message: str = "", *, status: int = 0, retry_after_seconds: float = 0.0) -> None:
        """``status`` is the HTTP status of a refused connection, else 0; ``retry_after_seconds`` what came with it."""
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class Displaced(MagiError):
    """Another connection uses this name now."""


class NameTaken(MagiError):
    """Somebody else has this username."""


class TokenRefused(MagiError):
    """The exchange does not take our token for this username any more."""


class Refused(MagiError):
    """The exchange refused this."""

    def __init__(self, text: str = "", code: str = "", retry_after_ms: int = 0) -> None:
        """``text`` is the exchange's own, ``code`` its machine name, empty from an exchange that grants no features."""
        super().__init__(text)
        self.text = text
        self.code = code
        self.retry_after_ms = retry_after_ms


class NotFriends(Refused):
    """There is no friendship with this user."""


class FriendAway(Refused):
    """The friend is not connected, and takes no messages while away."""


class InviteRefused(Refused):
    """The invitation code cannot be used."""


class RateLimited(Refused):
    """Too much at once; wait a little."""


class TooLarge(Refused):
    """The message is too large."""


class Unavailable(MagiError):
    """The exchange cannot do this right now."""

    def __init__(self, text: str = "", retry_after_ms: int = 0) -> None:
        super().__init__(text)
        self.retry_after_ms = retry_after_ms


class OutcomeUnknown(MagiError):
    """It may or may not have happened."""


class StillOpen(MagiError):
    """There is no answer yet. The ask goes on."""

    def __init__(self, ask_id: str = "", state: str = "") -> None:
        super().__init__()
        self.ask_id = ask_id
        self.state = state


class Declined(MagiError):
    """The friend will not answer."""


class Expired(MagiError):
    """Nobody answered in time."""


class AlreadySettled(MagiError):
    """This question was settled before."""


class BadFrame(MagiError):
    """The exchange said something that is not of this wire."""


class StoreLocked(MagiError):
    """Another process uses this profile now."""


class ProfileError(MagiError):
    """The profile on this machine cannot be used."""
