r"""What must not leave this machine by accident: keys, tokens, passwords, and paths that name the owner (CLI-34).

It catches slips, not spies: whoever wants to get a secret past it can spell it out. What it finds it names by kind and
place only, so that a finding may be shown, logged and given to a model.

Known shapes are one table; strings that merely look random are judged by how they mix letters and digits. Left alone on
purpose:

- hexadecimal strings, however long: ids of commits, digests and UUIDs are what engineers talk about all day. A key in
  hexadecimal is found by its name (``API_KEY=...``) or not at all;
- digests and public keys that say so (``sha256-...``, ``SHA256:...``, ``ssh-rsa AAAA...``), and what lacks capitals, small
  letters or digits: words, identifiers, our own message ids;
- values that only keep a place: ``TOKEN=<token>``, ``PASSWORD=changeme``, ``KEY=$OTHER``, ``TOKEN = read_token()``;
- ``/root`` and ``~``, which name nobody, and the user names of examples and machines.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice, pairwise
from math import log2
from typing import Final, NamedTuple

FINDINGS_MOST: Final = 20
"""After so many it stops: nobody reads more."""


class Kind(StrEnum):
    """What was found, as a person reads it."""

    PRIVATE_KEY = "private key"
    AWS = "AWS access key"
    GITHUB = "GitHub token"
    GITLAB = "GitLab token"
    SLACK = "Slack token"
    STRIPE = "Stripe key"
    MODEL_KEY = "key of a model provider"
    GOOGLE = "Google key"
    JWT = "JSON web token"
    NPM = "npm token"
    PYPI = "PyPI token"
    OTHER = "access token"
    SETTING = "secret setting"
    URL = "password in a URL"
    HOME = "home directory"
    RANDOM = "random string"


class Finding(NamedTuple):
    """Something was found. ``line`` and ``column`` count from 1, in characters; the value itself is kept nowhere."""

    kind: Kind
    line: int
    column: int

    def __str__(self) -> str:
        """Return what a person reads."""
        return f"{self.kind} (line {self.line}, column {self.column})"


# Every quantifier is bounded or possessive, and a run that can be long is tried from its beginning only: a text that was
# made to be slow takes no longer than its length.
_WORD: Final = r"[A-Za-z0-9_-]"
_SHAPES: Final = {
    Kind.PRIVATE_KEY: r"----[- ]BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY|PuTTY-User-Key-File-[0-9]"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{50}|b3BlbnNzaC1rZXktdjE",
    Kind.AWS: r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])(?<!EXAMPLE)",
    Kind.GITHUB: r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}",
    Kind.GITLAB: rf"gl(?:pat|dt|rt|ptt|ft|soat|cbt|agent|oas|imt)-{_WORD}{{20}}",
    Kind.SLACK: r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10}|xapp-[0-9]-[A-Za-z0-9-]{10}"
    r"|hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20}",
    Kind.STRIPE: r"[sr]k_(?:live|test)_[A-Za-z0-9]{16}|whsec_[A-Za-z0-9+/]{24}",
    Kind.MODEL_KEY: rf"sk-(?P<key>{_WORD}{{20,200}})",
    Kind.GOOGLE: rf"AIza{_WORD}{{35}}|GOCSPX-{_WORD}{{24}}|ya29\.{_WORD}{{20}}",
    Kind.JWT: rf"(?<!{_WORD})eyJ{_WORD}{{8,}}+\.eyJ{_WORD}{{8,}}+\.{_WORD}{{8}}",
    Kind.NPM: r"npm_[A-Za-z0-9]{36}",
    Kind.PYPI: rf"pypi-{_WORD}{{50}}",
    Kind.OTHER: rf"hf_[A-Za-z0-9]{{30}}|SG\.{_WORD}{{22}}\.{_WORD}{{43}}|do[opr]_v1_[a-f0-9]{{64}}|dckr_pat_{_WORD}{{20}}"
    rf"|[0-9]{{8,10}}:AA{_WORD}{{33}}|tskey-[a-z]{{2,10}}-[A-Za-z0-9-]{{16}}",
    # The value is looked at, not taken: it may hold something else that is known.
    Kind.SETTING: r"(?P<name>[A-Z][A-Z0-9_]{2,63}+)(?![A-Za-z0-9])[ \t]{0,4}=(?!=)[ \t]{0,4}"
    r"(?=\"(?P<quoted>[^\"\r\n]{6,200})|'(?P<single>[^'\r\n]{6,200})|(?P<bare>[^\s\"']{6,200}))",
    Kind.URL: r"[a-z0-9+]{2,16}+://[^\s/:@?#]{0,64}+:(?P<password>[^\s/@]{3,128}+)@",
    Kind.HOME: r"(?:/(?:home|Users)/|[A-Za-z]:\\{1,2}Users\\{1,2})(?P<owner>[A-Za-z0-9._-]{1,64})",
}
"""What is known by its shape. Of two that fit at one place the first wins."""

_KNOWN: Final = re.compile(
    # A flag of a compiler may stand right before a path: -I/home/...
    r"(?:(?<![A-Za-z0-9])|(?<=[ \t]-[A-Z])(?=/))(?:"
    + "|".join(f"(?P<{kind.name}>{shape})" for kind, shape in _SHAPES.items())
    + ")"
)
_REST: Final = re.compile(r"[A-Za-z0-9+/=_.-]*+")
_BLOCK_CHARACTERS: Final = 16 << 10  # more than any private key in text form


def scan(text: str) -> tuple[Finding, ...]:
    """Return what must not leave, in the order of the text, at most ``FINDINGS_MOST``. Takes time linear in its length."""
    known = list(islice(_known(text), FINDINGS_MOST))
    found = [(start, kind) for kind, start, _ in known]
    found += [(start, Kind.RANDOM) for start in islice(_random(text, [(a, b) for _, a, b in known]), FINDINGS_MOST)]
    return tuple(_placed(text, sorted(found)[:FINDINGS_MOST]))


def told(findings: tuple[Finding, ...]) -> str:
    """Return one sentence that names what was found and where; empty if nothing was."""
    if not findings:
        return ""
    return f"This must not leave unseen: {', '.join(map(str, findings))}."


def _placed(text: str, found: list[tuple[int, Kind]]) -> Iterator[Finding]:
    line, begin, seen = 1, 0, 0
    for start, kind in found:
        line += text.count("\n", seen, start)
        begin = text.rfind("\n", seen, start) + 1 or begin
        seen = start
        yield Finding(kind, line, start - begin + 1)


# --- known shapes ----------------------------------------------------------------------------------------------------


def _known(text: str) -> Iterator[tuple[Kind, int, int]]:
    """Yield kind, start and end of what has a known shape; nothing inside of what was yielded before."""
    covered = 0
    for match in _KNOWN.finditer(text):
        kind = Kind[match.lastgroup or ""]  # the group that ended last is the one around the others
        if match.start() < covered or not _JUDGES.get(kind, _always)(match):
            continue
        covered = _end(text, kind, match)
        yield kind, match.start(), covered


def _end(text: str, kind: Kind, match: re.Match[str]) -> int:
    if kind is Kind.PRIVATE_KEY:
        end = text.find("END", match.end(), match.end() + _BLOCK_CHARACTERS)
        return end if end >= 0 else match.end() + _BLOCK_CHARACTERS
    if kind is Kind.SETTING:
        return max(map(match.end, ("quoted", "single", "bare")))
    rest = _REST.match(text, match.end())
    return rest.end() if rest else match.end()


_SECRET_NAME: Final = re.compile(
    r"(?:.*_)?(?:(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY)S?|SECRET_KEY_BASE)|.*_(?:PASS|PWD)"
)
_KEY_NAME: Final = re.compile(r".*_KEY")  # also of dictionaries and tables, so its value must have a digit
_PLAIN_NAME: Final = re.compile(r".*(?:PUBLIC|PRIMARY|FOREIGN|SORT|PARTITION|CACHE|HASH|ROUTING|GROUP)_KEY")
# A place for a value, or a piece of a program that gets it.
_PLACE: Final = re.compile(
    r"[$<{%(\[*.…]|x{3}|(?:your|change|example|placeholder|dummy|fake|redacted|insert|replace|test|os\.|process\.|env\.)"
    r"|(?:secret|password|passwd|pass|token|none|null|true|false|string|required|optional|undefined)\W{0,3}\Z"
    r"|[a-z_]{1,40}(?:\.[a-z_]{1,40}){1,5}\Z|[a-z_][\w.]{0,60}[(\[]",
    re.IGNORECASE,
)
_NOBODY: Final = frozenset(
    {
        *(
            "user",
            "username",
            "your-name",
            "yourname",
            "your-user",
            "youruser",
            "you",
            "me",
            "name",
            "someone",
            "example",
        ),
        *(
            "app",
            "coder",
            "codespace",
            "ec2-user",
            "git",
            "jenkins",
            "linuxbrew",
            "node",
            "runner",
            "ubuntu",
            "vagrant",
        ),
        *("vscode", "default", "public", "shared", "...", "xxx"),
    }
)


def _always(_match: re.Match[str]) -> bool:
    return True


def _is_secret_setting(match: re.Match[str]) -> bool:
    name, value = match["name"], match["quoted"] or match["single"] or match["bare"]
    named = _SECRET_NAME.fullmatch(name) or (_KEY_NAME.fullmatch(name) and re.search("[0-9]", value))
    return bool(named) and not _PLAIN_NAME.fullmatch(name) and not _PLACE.match(value)


_JUDGES: Final[dict[Kind, Callable[[re.Match[str]], bool]]] = {
    # Names in style sheets begin like this; keys have digits and capitals.
    Kind.MODEL_KEY: lambda match: bool(re.search(r"[0-9]", match["key"]) and re.search(r"[A-Z]", match["key"])),
    Kind.SETTING: _is_secret_setting,
    Kind.URL: lambda match: not _PLACE.match(match["password"]),
    Kind.HOME: lambda match: match["owner"].lower() not in _NOBODY,
}
"""What a shape alone does not tell."""

# --- random strings --------------------------------------------------------------------------------------------------

_RUN: Final = re.compile(
    r"(?P<public>(?:(?i:sha-?[0-9]{1,3})[-:=]|h1:|AAAA[A-Z][23]NzaC1)[A-Za-z0-9+/=_-]*+)|(?P<run>[A-Za-z0-9+/_-]{24,}+)"
    # What is shorter is passed over as a whole, so that no run is tried from its middle.
    r"|[A-Za-z0-9+/_-]++"
)
_JOINTS: Final = str.maketrans("", "", "+/_-")
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]*+")
_CHUNK: Final = 64
_RANDOM_CHARACTERS: Final = 24
_DIGITS_LEAST: Final = 2
_CHANGES_LEAST: Final = 0.45
_ENTROPY_LEAST: Final = 0.8


def _random(text: str, known: list[tuple[int, int]]) -> Iterator[int]:
    """Yield where random strings start that do not overlap with what is known."""
    spans = iter([*known, (len(text), len(text))])
    start, end = next(spans)
    for match in _RUN.finditer(text):
        while end <= match.start() < len(text) and start < len(text):
            start, end = next(spans)
        run = match["run"]
        if run and match.end() <= start and _looks_random(run):
            yield match.start()


def _looks_random(run: str) -> bool:
    """Tell whether a part of a run is more mixed than words and identifiers are.

    Of random strings it knows nine in ten at 24 characters, nineteen in twenty from 32 on; of some thousand files of
    programs it suspects one in a thousand.
    """
    # Base64 holds slashes, and so do paths that lead to something random.
    for part in {run, *run.split("/")}:
        plain = part.translate(_JOINTS)
        chunks = (plain[begin : begin + _CHUNK] for begin in range(0, len(plain), _CHUNK))
        if not _HEXADECIMAL.fullmatch(plain) and any(map(_mixed, chunks)):
            return True
    return False


def _mixed(chunk: str) -> bool:
    length = len(chunk)
    if (
        length < _RANDOM_CHARACTERS
        or sum(map(str.isdigit, chunk)) < _DIGITS_LEAST
        or chunk in {chunk.lower(), chunk.upper()}
    ):
        return False
    shape = ["0" if character.isdigit() else "a" if character.islower() else "A" for character in chunk]
    if sum(before != after for before, after in pairwise(shape)) < _CHANGES_LEAST * (length - 1):
        return False
    entropy = -sum(count / length * log2(count / length) for count in Counter(chunk).values())
    return entropy >= _ENTROPY_LEAST * log2(min(length, 40))
