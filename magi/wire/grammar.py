"""Canonical forms of what clients send on the mAgi wire: names, codes, ids, tokens, offsets, words about themselves.

Every function here is idempotent: the canonical form of a canonical form is itself.
"""

import re
import unicodedata
from typing import Final

from magi.wire.limits import (
    CAPABILITIES_COUNT,
    CAPABILITY_CHARACTERS,
    CODE_ALPHABET,
    CODE_CHARACTERS,
    CODE_CHARACTERS_MOST,
    MESSAGE_ID_CHARACTERS,
    NICKNAME_CHARACTERS,
    TOKEN_CHARACTERS,
    USERNAME_CHARACTERS,
)

STATUSES: Final = frozenset({"idle", "working", "blocked"})
"""What a client can say it is doing (MAGI-45)."""

_ALPHABET = frozenset(CODE_ALPHABET)
_COMBINING_RUN = 4
_OFFSET = re.compile(r"[0-9]{1,16}-[0-9]{1,10}")

# Controls are read widely (Cc), with everything that is invisible or turns text around: bidi marks, zero-width
# characters and tags (Cf), lone surrogates (Cs), private use (Co), line and paragraph separators (Zl, Zp).
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def hidden(character: str) -> bool:
    """Tell whether a character is a control, invisible, or changes how the text around it is shown."""
    return unicodedata.category(character) in _HIDDEN


def username(value: object) -> str | None:
    """Return a usable username exactly as it was sent, else ``None`` (MAGI 3.1: 1 to 254 characters, no controls)."""
    if not isinstance(value, str) or not 0 < len(value) <= USERNAME_CHARACTERS:
        return None
    if value.isascii() and value.isprintable():
        return value
    return None if any(map(hidden, value)) else value


def nickname(value: object, default: str) -> str:
    """Return what friends see: NFC, without hidden characters, at most 200 characters; ``default`` if nothing is left.

    Runs of more than four combining marks are shortened: they are drawn over the lines around them.
    """
    if not isinstance(value, str):
        value = ""
    if not (value.isascii() and value.isprintable()):
        value = _shown(value[: 4 * NICKNAME_CHARACTERS])
    return value[:NICKNAME_CHARACTERS] or default[:NICKNAME_CHARACTERS]


def _shown(text: str) -> str:
    # Hidden characters go first: they may stand between a letter and the mark that it is composed with.
    visible = unicodedata.normalize("NFC", "".join(character for character in text if not hidden(character)))
    kept: list[str] = []
    marks = 0
    for character in visible:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _COMBINING_RUN:
            kept.append(character)
    return "".join(kept)


def code(value: object) -> str | None:
    """Return an invitation code in its stored form (MAGI-21), or ``None`` if no code can look like this."""
    if not isinstance(value, str):
        return None
    trimmed = value.strip().upper()
    if not CODE_CHARACTERS <= len(trimmed) <= CODE_CHARACTERS_MOST or not _ALPHABET.issuperset(trimmed):
        return None
    return trimmed


def message_id(value: object) -> str | None:
    """Return a usable message id, else ``None`` (MAGI-45: a string of 1 to 64 printable characters)."""
    return _visible(value, MESSAGE_ID_CHARACTERS)


def token(value: object) -> str | None:
    """Return what can be a resume token, else ``None`` (MAGI-46: a string of 1 to 200 visible characters)."""
    return _visible(value, TOKEN_CHARACTERS)


def offset(value: object) -> str | None:
    """Return what has the shape of a position in a mailbox, else ``None``. To clients it is opaque."""
    return value if isinstance(value, str) and _OFFSET.fullmatch(value) else None


def status(value: object) -> str | None:
    """Return one of :data:`STATUSES`, else ``None``."""
    return value if isinstance(value, str) and value in STATUSES else None


def capabilities(value: object) -> tuple[str, ...] | None:
    """Return what a client says it can do, else ``None``: a list of at most 32 strings of 1 to 64 visible characters."""
    if not isinstance(value, list) or len(value) > CAPABILITIES_COUNT:
        return None
    words = tuple(word for word in value if _visible(word, CAPABILITY_CHARACTERS) is not None)
    return words if len(words) == len(value) else None


def _visible(value: object, characters: int) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= characters or any(map(hidden, value)):
        return None
    return value
