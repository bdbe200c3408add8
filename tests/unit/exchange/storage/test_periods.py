"""Days and months of UTC."""

from exchange.storage.periods import DAY_MS, day_of, month_of

MIDNIGHT_MS = 1_793_491_200_000
"""The first moment of November 2026."""


def test_a_day_begins_at_midnight_of_utc() -> None:
    assert [day_of(MIDNIGHT_MS - 1), day_of(MIDNIGHT_MS)] == ["20261031", "20261101"]
    assert [month_of(day_of(MIDNIGHT_MS - 1)), month_of(day_of(MIDNIGHT_MS))] == ["202610", "202611"]


def test_every_moment_of_a_day_has_its_name_and_leap_days_are_days() -> None:
    assert {day_of(MIDNIGHT_MS + ms) for ms in range(0, DAY_MS, 3_600_000)} == {"20261101"}
    assert day_of(MIDNIGHT_MS + 486 * DAY_MS - DAY_MS) == "20280229"
    assert day_of(0) == "19700101"
