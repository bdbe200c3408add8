"""The periods in which usage is counted: days and calendar months of UTC, as they stand in keys (CORAL-22). Pure."""

from datetime import date
from functools import lru_cache

DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()


def day_of(at_ms: int) -> str:
    """Return the day of a moment, as ``20261121``."""
    return _day(at_ms // DAY_MS)


def month_of(day: str) -> str:
    """Return the month of a day, as ``202611``."""
    return day[:6]


@lru_cache(4)
def _day(number: int) -> str:
    return f"{date.fromordinal(_EPOCH + number):%Y%m%d}"
