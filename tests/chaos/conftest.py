"""The report of a chaos run, written when its last scenario is over."""

from collections.abc import Iterator

import pytest

from tests.chaos.report import Report, folder_of, write
from tests.chaos.scenarios.table import LEVEL, SEED


@pytest.fixture(scope="session")
def chaos_report() -> Iterator[Report]:
    """Collects outcomes; what was collected is written also when a scenario failed."""
    report = Report(LEVEL, SEED)
    yield report
    if report.entries:
        for path in write(report, folder_of(LEVEL)):
            print(f"\nwritten: {path}")
