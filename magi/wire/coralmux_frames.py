"""Payloads of the CoralMux wire that the relay itself reads or writes (docs/protocols/coralmux.md sections 2 to 5).

Every other payload is passed on unread. A field that can be ``UNSET`` is left out where the wire says nothing of it.
"""

from enum import StrEnum
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType


class ErrorCode(StrEnum):
    """Why something was refused (CORAL-6, CORAL-19). The last three come from agents only."""

    UNAUTHORIZED = "UNAUTHORIZED"
    INVALID_MESSAGE = "INVALID_MESSAGE"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    RATE_LIMITED = "RATE_LIMITED"
    DAILY_QUOTA_EXCEEDED = "DAILY_QUOTA_EXCEEDED"
    MONTHLY_QUOTA_EXCEEDED = "MONTHLY_QUOTA_EXCEEDED"
    PEER_OFFLINE = "PEER_OFFLINE"
    BACKEND_ERROR = "BACKEND_ERROR"
    DECRYPTION_FAILED = "DECRYPTION_FAILED"
    GROUP_SEND_FAILED = "GROUP_SEND_FAILED"


class Auth(Struct):
    """The first frame of a client (CORAL-6). What is missing or ``null`` is ``None``."""

    TYPE: ClassVar[str] = "auth"
    token: str | None = None
    role: str | None = None


class AuthOk(Struct):
    """The client is the current connection of its slot (CORAL-9)."""

    TYPE: ClassVar[str] = "auth.ok"
    paired: bool
    daily_quota_bytes: int
    daily_used_bytes: int
    monthly_quota_bytes: int
    monthly_used_bytes: int


class AuthFail(Struct, frozen=True):
    """The client could not prove a pairing. An agent ends for good when it reads this (CORAL-7)."""

    TYPE: ClassVar[str] = "auth.fail"
    code: ErrorCode
    message: str


class ChatError(Struct, frozen=True, omit_defaults=True):
    """A frame was refused. ``retry_after_ms`` is left out, not zero, where waiting does not help (CORAL-19)."""

    TYPE: ClassVar[str] = "chat.error"
    code: ErrorCode
    message: str
    retry_after_ms: int | UnsetType = UNSET


class Status(Struct, frozen=True):
    """What became of the peer: ``online`` or ``offline`` (CORAL-11, CORAL-14)."""

    TYPE: ClassVar[str] = "status"
    peer: str


class Pong(Struct, frozen=True):
    """The relay is there."""

    TYPE: ClassVar[str] = "pong"


Payload = AuthOk | AuthFail | ChatError | Status | Pong
"""What the relay says in frames of its own."""
