"""What success means: the durability levels, from weak to strong (DEL-2)."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["memory", "local", "synced", "replicated"]


@dataclass(frozen=True, slots=True)
class Durability:
    """A level, and for ``replicated`` how many replicas have to confirm what was accepted, and for how long they may.

    ``memory`` asks nothing of the server; it is the default of code that opens a store by itself, as tests do. What an
    operator gets unasked is in the settings.
    """

    level: Level = "memory"
    wait_replicas_count: int = 1
    wait_ms: int = 150


IN_MEMORY = Durability()
