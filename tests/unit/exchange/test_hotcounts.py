"""Plain integers of the hot path."""

import pytest

from exchange.core import errors as e
from exchange.hotcounts import OUTCOMES, HotCounts


def test_all_counts_start_at_zero() -> None:
    assert [getattr(HotCounts(), name) for name in HotCounts.__slots__] == [0] * len(HotCounts.__slots__)


def test_nothing_else_can_be_counted() -> None:
    with pytest.raises(AttributeError):
        HotCounts().frames_sideways = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (e.NotLinked("j"), "not_linked"),
        (e.NoFriends(), "not_linked"),
        (e.UserUnknown("j"), "not_connected"),
        (e.NotConnected(), "not_connected"),
        (e.AskLimit(1), "limited"),
        (e.StorageUnavailable(), "unavailable"),
        (e.Unavailable(), "unavailable"),
        (e.ContentMissing(), "malformed"),
        (e.NotIdentified(), "malformed"),
        (e.TooLarge(), "malformed"),
        (e.ExchangeError(), "error"),
        (e.PeerBusy(), "limited"),
        (e.MailboxFull(), "full"),
        (e.RateExceeded(), "limited"),
        (e.DailyQuotaExceeded(), "limited"),
        (e.MonthlyQuotaExceeded(), "limited"),
        (e.PeerAbsent(), "not_connected"),
        (e.RoleForbidden(), "not_linked"),
        (e.PairUnknown(), "malformed"),
    ],
)
def test_a_refusal_is_counted_once_by_its_nearest_ancestor(error: e.ExchangeError, outcome: str) -> None:
    hot = HotCounts()
    hot.refused(error)
    assert {name: getattr(hot, name) for name in HotCounts.__slots__ if getattr(hot, name)} == {outcome: 1}


def test_every_outcome_has_a_count() -> None:
    assert set(OUTCOMES.values()) <= set(HotCounts.__slots__)
