"""Every scenario of the table, on real processes: ``make chaos``, or ``make chaos-nightly`` for the large ones."""

import pytest

from tests.chaos.report import Report
from tests.chaos.scenarios.table import LEVEL, SCENARIOS, SEED, bound_of, size_of

pytestmark = [pytest.mark.serial, pytest.mark.chaos]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.timeout(bound_of(name)), id=name) for name in SCENARIOS]
)
async def test_nothing_accepted_is_lost(name, chaos_report: Report):
    outcome = await SCENARIOS[name].play(size_of(name), SEED)
    chaos_report.add(outcome, size_of(name))
    assert outcome.verdict, f"{name}, seed {SEED}, {LEVEL}:\n{outcome.verdict}"
