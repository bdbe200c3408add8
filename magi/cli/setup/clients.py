"""All agent clients that ``magi setup`` knows, and how each stands."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from magi.cli.setup import claude_code, codex, cursor, gemini, opencode
from magi.cli.setup.adapter import Adapter, Home
from magi.cli.setup.commands import Magi
from magi.cli.setup.writing import Piece, Unusable

CLIENTS: Final[Mapping[str, Adapter]] = {
    one.ADAPTER.name: one.ADAPTER for one in (claude_code, codex, gemini, opencode, cursor)
}


class Standing(StrEnum):
    """How a client stands."""

    WIRED = "wired"
    PARTLY = "wired in part, or for a magi in another place"
    BARE = "not wired"
    STRANGE = "not as magi can change it"


def standing(pieces: Sequence[Piece]) -> tuple[Standing, str]:
    """Return how a client with these pieces stands, and why if that is strange. Nothing is changed."""
    try:
        missing = [piece for piece in pieces if piece.change(undo=False) is not None]
        ours = [piece for piece in pieces if piece.change(undo=True) is not None]
    except Unusable as fault:
        return Standing.STRANGE, str(fault)
    if not missing:
        return Standing.WIRED, ""
    return (Standing.PARTLY if ours else Standing.BARE), ""


def standings(home: Home, magi: Magi) -> dict[str, tuple[Standing, str]]:
    """Return how each client stands that this user has."""
    return {name: standing(one.pieces(home, magi)) for name, one in CLIENTS.items() if one.is_here(home)}
