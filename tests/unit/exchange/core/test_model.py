import pytest

from exchange.core.model import Standing


@pytest.mark.parametrize(
    ("sessions_count", "left_ms", "joinable"),
    [
        (1, 0, True),
        (2, 1, True),  # it left once and is back
        (0, 1000, True),
        (0, 501, True),
        (0, 500, False),
        (0, 0, False),  # never here, or too long ago to be known
    ],
)
def test_a_user_can_be_joined_while_here_and_during_the_grace(sessions_count, left_ms, joinable):
    assert Standing("ann", "Ann", sessions_count, left_ms).joinable(1000, grace_ms=500) is joinable


def test_without_a_grace_nobody_who_left_can_be_joined():
    assert not Standing("ann", "Ann", 0, 1000).joinable(1000, grace_ms=0)
    assert not Standing("ann", "Ann", 0, 1001).joinable(1000, grace_ms=0)
