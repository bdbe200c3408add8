"""Each mutant of the server is found by the scenario that is about what it breaks (OPS-20)."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from tests.chaos.mutants import MUTANTS
from tests.chaos.scenarios.mail import absent_readers, lost_replies
from tests.chaos.scenarios.nodes import killed_nodes
from tests.chaos.stage import Outcome

FOUND_SECONDS = 180
LAUNCH = "tests.chaos.launch"

HUNTS: dict[str, tuple[Callable[..., Awaitable[Outcome]], int, str]] = {
    "ack_before_store": (killed_nodes, 2, "lost"),
    "no_dedupe": (lost_replies, 50, "stored twice"),
    "subscribe_after_read": (partial(absent_readers, settle_seconds=3.0), 50, "lost"),
}
"""What finds a mutant, of what size, and as what."""


@pytest.mark.serial
@pytest.mark.chaos
@pytest.mark.timeout(FOUND_SECONDS)
@pytest.mark.parametrize("name", HUNTS)
async def test_a_mutant_is_found(name):
    play, size, what = HUNTS[name]
    outcome = await play(size, 1, launch=(LAUNCH, "--mutant", name))
    assert what in {violation.what for violation in outcome.verdict.violations}, outcome.verdict


def test_every_mutant_is_hunted():
    assert HUNTS.keys() == MUTANTS.keys()
