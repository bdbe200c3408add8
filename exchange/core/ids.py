"""Shapes of internal identifiers. The bytes come from outside (``exchange.entropy``): this floor has no randomness."""

import base64

Uid = str
"""Who mail is addressed to: 26 characters of lower-case base32, 128 random bits. Never shown to a client."""

ID_BYTES = 16
CODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""What invitation codes are made of (MAGI-29)."""


def spell(raw: bytes) -> str:
    """Spell random bytes as lower-case base32 without padding: 26 characters for 16 bytes, all of ``a-z2-7``."""
    return base64.b32encode(raw).decode().rstrip("=").lower()


def short(identifier: str) -> str:
    """Return the first eight characters, which is what logs and public pages show of an id (MAGI-35, MAGI-42)."""
    return identifier[:8]
