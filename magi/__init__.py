"""What the owner of a magi installs: the library, and under it the wires that clients and server share.

The names below are the public API. They are loaded when they are first used: ``import magi`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magi.client.asks import Answer, Ask
    from magi.client.client import Client
    from magi.client.errors import (
        AlreadySettled,
        BadFrame,
        Declined,
        Displaced,
        Expired,
        FriendAway,
        InviteRefused,
        MagiError,
        NameTaken,
        NotConnected,
        NotFriends,
        OutcomeUnknown,
        ProfileError,
        RateLimited,
        Refused,
        StillOpen,
        StoreLocked,
        TokenRefused,
        TooLarge,
        Unavailable,
    )
    from magi.client.inbox import Notice, Question, Receipt
    from magi.client.memory import MemoryStore
    from magi.client.model import Event, Friend, Invite, Kind, Origin
    from magi.client.ports import Store
    from magi.client.states import State

__version__ = "0.1.0"

__all__ = [
    "AlreadySettled",
    "Answer",
    "Ask",
    "BadFrame",
    "Client",
    "Declined",
    "Displaced",
    "Event",
    "Expired",
    "Friend",
    "FriendAway",
    "Invite",
    "InviteRefused",
    "Kind",
    "MagiError",
    "MemoryStore",
    "NameTaken",
    "NotConnected",
    "NotFriends",
    "Notice",
    "Origin",
    "OutcomeUnknown",
    "ProfileError",
    "Question",
    "RateLimited",
    "Receipt",
    "Refused",
    "State",
    "StillOpen",
    "Store",
    "StoreLocked",
    "TokenRefused",
    "TooLarge",
    "Unavailable",
]

_ELSEWHERE = {
    **dict.fromkeys(("Answer", "Ask"), "asks"),
    **dict.fromkeys(("Notice", "Question", "Receipt"), "inbox"),
    **dict.fromkeys(("Event", "Friend", "Invite", "Kind", "Origin"), "model"),
    "Client": "client",
    "MemoryStore": "memory",
    "State": "states",
    "Store": "ports",
}
"""Where a name is, if it is not an error."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"magi.client.{_ELSEWHERE.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
