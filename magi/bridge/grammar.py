"""What people tell their assistant to do, word for word: the commands of ``brainxchange_command`` (MCP-11)."""

from dataclasses import dataclass
from typing import Final

from magi.wire.grammar import code as usable_code

HELP: Final = """\
magi create invite             makes a code to hand to a friend
magi connect <code>            connects with the friend who gave it to you
magi ask <who> <question>      asks one friend; anyone means whoever is there
magi ask <who> about <topic>   the same
magi friends                   lists friends
magi status                    says who you are and what waits"""
"""All forms there are. ``brainx`` does as well as ``magi``."""

_PREFIXES: Final = frozenset({"magi", "brainx"})
_ANYBODY: Final = frozenset({"anyone", "friend"})
_QUOTES: Final = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’", "«": "»"}


@dataclass(frozen=True, slots=True)
class Create:
    """Make an invitation."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Redeem an invitation. ``code`` is in its stored form."""

    code: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask ``who``: a petname, a username, ``anyone`` or ``friend``. ``text`` is as it was typed."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Friends:
    """List friends."""


@dataclass(frozen=True, slots=True)
class Status:
    """Say who we are and what waits."""


@dataclass(frozen=True, slots=True)
class Help:
    """Nothing is done. ``hint`` says what was missing, if the command was nearly one."""

    hint: str = ""


Command = Create | Connect | Ask | Friends | Status | Help

_FIXED: Final[dict[tuple[str, ...], Command]] = {
    ("create", "invite"): Create(),
    ("friends",): Friends(),
    ("status",): Status(),
}


def parse(command: str) -> Command:
    """Read a command. Never raises: whatever has none of the forms is :class:`Help`."""
    prefix, said = _next(_bare(command))
    if prefix.lower() not in _PREFIXES:
        return Help()
    words = said.lower().split()
    match words:
        case ["connect", code] | ["connect", "to", code]:
            return _connect(code)
        case ["ask", _, *_]:
            return _ask(_next(said)[1])
        case _:
            return _FIXED.get(tuple(words), Help())


def _connect(typed: str) -> Command:
    code = usable_code(_bare(typed))
    return Connect(code) if code else Help("An invitation code has 6 to 16 letters and digits.")


def _ask(rest: str) -> Command:
    first, text = _next(rest)
    who = _bare(first.rstrip(",:")).removeprefix("@")
    if not who:
        return Help("Say whom to ask.")
    if not text:
        return Help("Say what to ask, after the name.")
    return Ask(who.lower() if who.lower() in _ANYBODY else who, text)


def _next(text: str) -> tuple[str, str]:
    """Split off the first word. The rest keeps its inner white space."""
    first, *rest = text.split(None, 1) or [""]
    return first, rest[0].rstrip() if rest else ""


def _bare(text: str) -> str:
    """Return a text without white space and quotes around it; a closing quote goes only with its opening one."""
    start, end = 0, len(text)
    while start < end:
        closing = _QUOTES.get(text[start])
        if text[start].isspace():
            start += 1
        elif text[end - 1].isspace():
            end -= 1
        elif closing is None:
            break
        else:
            start += 1
            end -= end > start and text[end - 1] == closing
    return text[start:end]
