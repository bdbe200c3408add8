"""What logs and public pages may show of people (MAGI-42, MAGI-43, SEC-32 to SEC-34). Pure.

There are two nets. A field is masked by its *name*: ``shown("user", "john")`` is ``j***``. What passes, because its name
promises nothing personal, is searched for *patterns*: e-mail and network addresses, URLs, queries, tokens, codes.

Every function here is total: odd input gives a safe answer and never an exception, and no answer holds a control
character or more than ``MOST`` characters.
"""

import re
from collections.abc import Callable
from enum import Enum
from itertools import islice

from exchange.core.ids import short
from exchange.place import parsed, place

MOST = 200
"""Characters of the longest answer (SEC-33)."""

HIDDEN = "***"
SEPARATOR = "•"
"""What stands between the parts of a log line. Escaped inside a value, so that no value can pretend to be several."""

_WINDOW = 1000
_ITEMS = 8
_EDGES = " \t\r\n\"'<>()[]{},;="
_WORD = re.compile(f"[^{re.escape(_EDGES)}]+")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_QUERY = re.compile(r"\?\S+")
_AUTHORITY = re.compile(r"://\S+")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,9}(?:\.\d{1,3}){0,3}(?:%\w+)?")
_TOKEN = re.compile(r"[\w+-]{20,}")
_CODE = re.compile(r"(?<!\w)(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{6,16}(?!\w)")


def plain(text: str) -> str:
    """Escape whatever is not printable, and the separator, and cut the rest."""
    if len(text) > MOST:
        text = text[: MOST - 1] + "…"
    if text.isprintable() and SEPARATOR not in text:
        return text
    escaped = "".join(_escaped(character) for character in text)
    return escaped if len(escaped) <= MOST else escaped[: MOST - 1] + "…"


def _escaped(character: str) -> str:
    if character.isprintable() and character != SEPARATOR:
        return character
    return character.encode("unicode_escape").decode()


# --- masks -----------------------------------------------------------------------------------------------------------


def masked_name(name: object) -> str:
    """Return ``j***@example.com`` for an e-mail address, else the first letter and ``***`` (MAGI-43)."""
    if not isinstance(name, str):
        return HIDDEN
    local, _, domain = name.rpartition("@")
    if local and _DOMAIN.fullmatch(domain):
        return plain(f"{_first(local)}{HIDDEN}@{domain}")
    return _first(name) + HIDDEN


def masked_code(code: object) -> str:
    """Return the first two characters and ``****``; only ``****`` if that would show half of it (MAGI-43)."""
    start = code[:2] if isinstance(code, str) and len(code) > 4 and code[:2].isalnum() else ""
    return start + "****"


def masked_url(url: object) -> str:
    """Return the scheme and ``://***``."""
    scheme = url.partition("://")[0] if isinstance(url, str) and "://" in url else ""
    return f"{scheme}://{HIDDEN}" if scheme.isalnum() and len(scheme) <= 10 else HIDDEN


def short_id(identifier: object) -> str:
    """Return the first eight characters of an id."""
    return plain(short(identifier)) if isinstance(identifier, str) else HIDDEN


def initial(nick: object) -> str:
    """Return the first letter of a nickname in upper case, ``?`` if it has none (MAGI-35)."""
    letter = _first(nick) if isinstance(nick, str) else ""
    return letter.upper()[:1] or "?"


def hidden(_value: object) -> str:
    """Return three asterisks."""
    return HIDDEN


def _first(text: str) -> str:
    return next((character for character in text[:MOST] if character.isalnum()), "")


# --- the first net: names of fields ----------------------------------------------------------------------------------

Mask = Callable[[object], str]

_WORDS: dict[Mask, str] = {
    hidden: "content body text payload raw message question answer preview frame"
    " token password secret authorization cookie key hash query",
    masked_code: "code invite",
    masked_name: "name username user sender recipient friend peer from to target owner",
    initial: "nick nickname",
    place: "address ip remote",
    masked_url: "url uri",
    short_id: "id client session sid uid connection node holder",
}
MASKS: dict[str, Mask] = {word: mask for mask, words in _WORDS.items() for word in words.split()}
"""How a field is masked, by the last word of its name without digits: ``redis_url`` as ``url``, ``user2`` as ``user``."""


def shown(field: str, value: object) -> str:
    """Return what a log line may say of a field."""
    mask = MASKS.get(field.rpartition("_")[2].rstrip("0123456789").lower())
    if mask is hidden:
        return HIDDEN
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, list | tuple | set | frozenset):
        return plain(",".join(_scalar(mask, item) for item in islice(value, _ITEMS)))
    return _scalar(mask, value)


def _scalar(mask: Mask | None, value: object) -> str:
    if isinstance(value, str):
        return scrubbed(value) if mask is None else mask(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, float):
        return repr(round(value, 3))
    if isinstance(value, int):
        # Python refuses to print integers of thousands of digits.
        return int.__repr__(value) if value.bit_length() <= 64 else "int"
    if isinstance(value, BaseException):
        return described(value)
    return plain(type(value).__name__)


# --- the second net: patterns ----------------------------------------------------------------------------------------


def scrubbed(text: str) -> str:
    """Mask whatever looks like an address, a URL, a query, a token or a code, then escape and cut."""
    if len(text) > _WINDOW:
        # The last word may be half of something that would be masked if it were whole.
        text = text[:_WINDOW]
        text = text[: max(text.rfind(edge) for edge in _EDGES) + 1] + "…"
    if "?" in text:
        text = _QUERY.sub("?" + HIDDEN, text)
    if "://" in text:
        text = _AUTHORITY.sub("://" + HIDDEN, text)
    if "@" in text:
        text = _WORD.sub(lambda word: masked_name(word[0]) if "@" in word[0] else word[0], text)
    if ":" in text:
        text = _IPV6.sub(_placed, text)
    if "." in text:
        text = _IPV4.sub(_placed, text)
    text = _TOKEN.sub(_untokened, text)
    return plain(_CODE.sub(lambda code: masked_code(code[0]), text))


def _placed(match: re.Match[str]) -> str:
    """Mask an address, also one with a colon of the sentence before or behind it."""
    found = match[0]
    candidates = (found, found.removeprefix(":"), found.removesuffix(":"), found[1:-1])
    return next((found.replace(text, place(text)) for text in candidates if parsed(text)), found)


def _untokened(match: re.Match[str]) -> str:
    """Mask a run that has letters and digits, or is long and in both cases: no word of a language has."""
    word = match[0]
    letters, digits = any(map(str.isalpha, word)), any(map(str.isdigit, word))
    mixed = len(word) >= 32 and not word.islower() and not word.isupper()
    return masked_code(word) if letters and (digits or mixed) else word


# --- errors ----------------------------------------------------------------------------------------------------------

_SPEAKING = (AttributeError, ImportError, NameError, TypeError)
"""Errors whose text is about code. That of any other may quote what a user sent, and is not shown."""


def described(error: BaseException) -> str:
    """Return the class of an error, and what it says if that cannot be about people."""
    kind = type(error).__name__
    said: object = ""
    if isinstance(error, OSError):
        said = error.strerror
    elif isinstance(error, _SPEAKING) and error.args:
        said = error.args[0]
    return scrubbed(f"{kind}: {said}") if said and isinstance(said, str) else plain(kind)
