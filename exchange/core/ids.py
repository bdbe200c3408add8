"""Shapes of internal identifiers. The bytes come from outside (``exchange.entropy``): this floor has no randomness."""

import base64

Uid = str
"""Who mail is addressed to: 26 characters of lower-case base32, 128 random bits. Never shown to a client."""

Offset = str
"""Position of mail in its mailbox, ``<ms>-<n>``: opaque to clients, strictly increasing, not dense."""

NOWHERE: Offset = "0-0"
"""Before all mail."""

ID_BYTES = 16
CODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""What invitation codes are made of (MAGI-29)."""


def spell(raw: bytes) -> str:
    """Spell random bytes as lower-case base32 without padding: 26 characters for 16 bytes, all of ``a-z2-7``."""
    return base64.b32encode(raw).decode().rstrip("=").lower()


def short(identifier: str) -> str:
    """Return the first eight characters, which is what logs and public pages show of an id (MAGI-35, MAGI-42)."""
    return identifier[:8]


def order(offset: Offset) -> tuple[int, int]:
    """Return what offsets are ordered by.

    Raises:
        ValueError: It is no offset.
    """
    ms, _, count = offset.partition("-")
    return int(ms), int(count)
