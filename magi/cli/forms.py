"""What a hook says: one line about what waits, in the form that the agent client reads (CLI-43).

Nothing that a friend wrote stands in it, nicknames included: counts, and the owner's own names for friends (MCP-9). It tells
facts; a command in this place would look like an attack, and models are trained to refuse those.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

LINE_CHARACTERS: Final = 200
NAMED_MOST: Final = 5
_PETNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")

Form = Callable[[str], object]
"""Makes what is printed as JSON; a text is printed as it is."""


def line_of(waiting: Mapping[str, Any]) -> str:
    """Return the line for what waits, as :class:`magi.daemon.port.Waiting` in JSON; empty if nothing does."""
    parts = []
    if questions := waiting.get("questions", ()):
        names = list(dict.fromkeys(one if _PETNAME.fullmatch(str(one)) else "a friend" for one in questions))
        named = ", ".join(names[:NAMED_MOST]) + (", ..." if len(names) > NAMED_MOST else "")
        parts.append(f"{_counted(len(questions), 'question')} ({named})")
    for key, noun in (("answers", "answer"), ("notices", "notice")):
        if count := int(waiting.get(key, 0)):
            parts.append(_counted(count, noun))
    where = " They are in the tool magi_inbox." if parts else ""
    if held := int(waiting.get("held", 0)):
        parts.append(f"{held} held for your owner")
    # The names are what can be long: they are cut, never the end.
    said = ", ".join(parts)
    most = LINE_CHARACTERS - len("magi: .") - len(where)
    said = f"{said}." if len(said) <= most else f"{said[: most - 2]}..."
    return f"magi: {said}{where}" if parts else ""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _context(event: str) -> Form:
    return lambda line: {"hookSpecificOutput": {"hookEventName": event, "additionalContext": line}}


def _decision(word: str) -> Form:
    return lambda line: {"decision": word, "reason": line}


def _field(name: str) -> Form:
    return lambda line: {name: line}


FORMS: Final[Mapping[str, Mapping[str, Form]]] = {
    "claude-code": {
        "start": _context("SessionStart"),
        "prompt": _context("UserPromptSubmit"),
        "stop": _context("Stop"),
        "wake": str,
    },
    "codex": {
        "start": _context("SessionStart"),
        "prompt": _context("UserPromptSubmit"),
        "stop": _decision("block"),
    },
    "gemini": {
        "start": _context("SessionStart"),
        "prompt": _context("BeforeAgent"),
        "stop": _decision("deny"),
    },
    "opencode": {"stop": str, "wake": str},
    "cursor": {"start": _field("additional_context"), "stop": _field("followup_message")},
}
"""The form by client and event. What is not here is not installed, and says nothing."""

SESSION_FIELDS: Final = ("session_id", "conversation_id")
"""Where clients name the session in what they tell a hook."""
