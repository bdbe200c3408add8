"""Which scenarios there are, and how large each is at the gate and at night (OPS section 11)."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.scenarios import mail, nodes, slow, stores, workers
from tests.chaos.stage import Outcome

Play = Callable[[int, int], Awaitable[Outcome]]
"""Plays a scenario of a size, with a seed."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the table."""

    play: Play
    gate: int
    nightly: int
    seconds_each: float
    """How long one unit of its size may take at most."""


START_SECONDS = 170.0
"""What a scenario may take besides: starting, settling, ending."""

SCENARIOS: dict[str, Scenario] = {
    "T1": Scenario(mail.absent_readers, 100, 2000, 0.5),
    "T2": Scenario(nodes.killed_nodes_at_all_times, 8, 200, 20),
    "T3": Scenario(nodes.frozen_nodes, 2, 30, 90),
    "T4": Scenario(mail.lost_replies, 100, 2000, 1),
    "T5": Scenario(stores.ended_stores, 4, 60, 30),
    "T9": Scenario(stores.deaf_nodes, 3, 40, 40),
    "T10": Scenario(slow.deaf_clients, 20, 200, 3),
    "T11": Scenario(nodes.rolling_restarts, 1, 20, 120),
    "T12": Scenario(mail.full_mailboxes, 5, 50, 30),
    "T13": Scenario(mail.poison, 2, 20, 60),
    "T14": Scenario(mail.late_readers, 20, 500, 5),
    "T15": Scenario(nodes.wrong_clocks, 1, 10, 60),
    "T16": Scenario(workers.killed_workers, 5, 100, 60),
}

LEVEL = os.environ.get("MAGI_CHAOS_LEVEL", "gate")
"""``gate`` or ``nightly``."""
SEED = int(os.environ.get("MAGI_CHAOS_SEED", "1"))


def size_of(name: str, level: str = LEVEL) -> int:
    """Return how large a scenario is at a level."""
    return int(getattr(SCENARIOS[name], level))


def bound_of(name: str, level: str = LEVEL) -> float:
    """Return how many seconds a scenario may take at a level."""
    return START_SECONDS + SCENARIOS[name].seconds_each * size_of(name, level)
