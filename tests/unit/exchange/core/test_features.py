"""What an extended client is granted (MAGI-45)."""

import pytest

from exchange.core.features import FEATURES, HISTORY, NEEDS, grant


def test_everything_that_is_wanted_available_and_complete_is_granted():
    assert grant(FEATURES) == FEATURES
    assert grant(["ids", "presence"]) == {"ids", "presence"}


def test_what_is_not_known_or_not_available_is_not_granted():
    assert grant(["ids", "teleport"]) == {"ids"}
    assert grant(FEATURES, FEATURES - {HISTORY}) == FEATURES - {HISTORY}


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        (["persist"], []),
        (["persist", "resume"], ["persist", "resume"]),
        (["offline", "persist", "resume"], ["persist", "resume"]),
        (["offline", "persist", "ids"], ["ids"]),
        (["history", "offline", "persist", "resume", "ids"], ["history", "offline", "persist", "resume", "ids"]),
        (["history", "persist", "resume", "ids"], ["persist", "resume", "ids"]),
    ],
)
def test_a_feature_without_what_it_needs_is_not_granted(wanted, granted):
    assert grant(wanted) == set(granted)


def test_a_feature_needs_only_features():
    assert FEATURES.issuperset(NEEDS)
    assert all(FEATURES.issuperset(needed) for needed in NEEDS.values())
