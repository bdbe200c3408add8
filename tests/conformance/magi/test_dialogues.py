"""Every dialogue at every place. The two processes have one set of settings; dialogues that need others skip them."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.magi import dialogues
from tests.conformance.magi.requirements import PLACES


def all_dialogues() -> Iterator[Any]:
    """Yield every function of the package that is marked with ``covers``."""
    for module in pkgutil.iter_modules(dialogues.__path__):
        for value in vars(importlib.import_module(f"{dialogues.__name__}.{module.name}")).values():
            if hasattr(value, "covers"):
                yield value


def runs_at(dialogue: Any) -> tuple[str, ...]:
    """Return the places a dialogue runs at."""
    return tuple(place for place in PLACES if place != "processes" or not dialogue.settings)


CASES = [
    pytest.param(place, dialogue, id=f"{dialogue.__name__}-{place}")
    for place in PLACES
    for dialogue in all_dialogues()
    if place in runs_at(dialogue)
]


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("kind", "dialogue"), CASES)
async def test_dialogue(kind, dialogue, open_place):
    async with open_place(kind, dialogue.settings) as place:
        await dialogue(place)
