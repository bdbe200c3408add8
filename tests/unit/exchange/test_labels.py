"""The closed lists of labels."""

import re

import pytest

from exchange import labels
from exchange.hotcounts import HotCounts

LISTS = {name: value for name, value in vars(labels).items() if name.isupper() and isinstance(value, tuple)}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_words_without_repeats(name):
    words = LISTS[name]
    assert len(set(words)) == len(words) > 0
    for word in words:
        parts = word if isinstance(word, tuple) else (word,)
        assert all(re.fullmatch(r"[a-z][a-z_]*", part) for part in parts), word


def test_what_is_added_up_to_a_series_is_counted():
    assert {*labels.ACCEPTED, *labels.STORED, *labels.MISSED} <= set(HotCounts.__slots__)
    assert {f"wakes_{kind}" for kind in labels.WAKES} == {
        one for one in HotCounts.__slots__ if one.startswith("wakes_")
    }


def test_a_message_has_one_outcome():
    sums = [*labels.ACCEPTED, *labels.STORED, *labels.MISSED]
    assert len(set(sums)) == len(sums)
