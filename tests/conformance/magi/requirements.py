"""The requirements of the wire and what proves them (``requirements.toml``)."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

PLACES = ("memory", "one", "redis", "processes")
"""Where a dialogue can run: two nodes over a store in memory, one such node, two nodes on a real server, two processes."""

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Requirement:
    """One checkable sentence of a clause. ``places`` are where its dialogues run at least, ``proofs`` tests elsewhere."""

    id: str
    text: str
    places: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()

    @property
    def clause(self) -> str:
        return self.id.rpartition(".")[0]


def read_requirements() -> list[Requirement]:
    """Return the entries of the file in its order."""
    entries = tomllib.loads(Path(__file__).with_name("requirements.toml").read_text(encoding="utf-8"))["requirement"]
    return [
        Requirement(
            entry["id"],
            entry["text"],
            tuple(PLACES if entry.get("places") == "all" else entry.get("places", ())),
            tuple(entry.get("proofs", ())),
        )
        for entry in entries
    ]


def covers(*ids: str, **settings: dict[str, object]) -> Callable[[F], F]:
    """Mark a test or dialogue with the requirements it proves, and with the settings its exchange needs, by group."""

    def mark(test: F) -> F:
        test.covers = ids  # type: ignore[attr-defined]
        test.settings = settings  # type: ignore[attr-defined]
        return test

    return mark
