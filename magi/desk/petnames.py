"""What the owner calls a friend (MCP-10).

A petname is the receiver's own word, and it appears where nothing of a friend's may: in notices and hook lines. So it is
made of ASCII letters, digits and ``-`` only: two alphabets could make two names that look the same. Of what a nickname
suggests two words are taken, too few for a sentence.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import count
from typing import Final

from magi.wire.grammar import nickname as cleaned

CHARACTERS_MOST: Final = 32
RESERVED: Final = frozenset({"system", "user", "assistant", "owner", "magi", "anyone", "friend"})

_FORM: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_WORD: Final = re.compile(r"[a-z0-9]+")
_WORDS_MOST: Final = 2
_NAMELESS: Final = "peer"


def usable(petname: str) -> str | None:
    """Return a petname that somebody chose, exactly as typed, or ``None`` if it cannot be one.

    Whether another friend has it already is for the caller to see, in any letter case.
    """
    return petname if _FORM.fullmatch(petname) and petname.lower() not in RESERVED else None


def derived(nickname: str, username: str, taken: Collection[str]) -> str:
    """Return a free petname for a new friend, in lower case: of the nickname, else of the username.

    Args:
        nickname: As the exchange says; accents are left out, ``José`` is ``jose``.
        username: Of the friend; the part before ``@`` counts.
        taken: Petnames and usernames of all other friends, in any letter case.
    """
    used = {name.lower() for name in taken}
    stem = next(_stems(nickname, username))
    if stem not in used:
        return stem
    for number in count(2):
        suffix = f"-{number}"
        name = stem[: CHARACTERS_MOST - len(suffix)].rstrip("-") + suffix
        if name not in used:
            return name
    raise AssertionError  # numbers do not end


def _stems(nickname: str, username: str) -> Iterator[str]:
    for source in (nickname, username.partition("@")[0]):
        plain = unicodedata.normalize("NFKD", cleaned(source, "").casefold())
        words = _WORD.findall("".join(character for character in plain if not unicodedata.combining(character)))
        stem = "-".join(words[:_WORDS_MOST])[:CHARACTERS_MOST].rstrip("-")
        # No word of it may be reserved: "magi-support" is not us.
        if stem and RESERVED.isdisjoint(stem.split("-")):
            yield stem
    yield _NAMELESS
