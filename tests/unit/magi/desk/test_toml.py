"""What is written as TOML is what is read again."""

import tomllib
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.desk import toml

SCALARS = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.datetimes(),
    st.dates(),
    st.times(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_every_table_is_read_as_it_was_written(table):
    assert tomllib.loads(toml.written(table)) == table


def test_values_stand_before_tables_so_that_they_belong_where_they_were():
    written = toml.written({"limits": {"inbox_bytes": 5, "deep": {"x": True}}, "username": "alice@example.com"})
    assert written == ('username = "alice@example.com"\n\n[limits]\ninbox_bytes = 5\n\n[limits.deep]\nx = true\n')


def test_names_that_need_it_are_quoted():
    table = {"responder": {"friends": {"bob@example.com": ["./answer", 'say "hi"\n']}}}
    assert tomllib.loads(toml.written(table)) == table
    assert '"bob@example.com" = ["./answer", "say \\"hi\\"\\n"]' in toml.written(table)


@pytest.mark.parametrize("number", [1e16, 1.5e300, 5e-324, -0.0, float("inf"), float("-inf")])
def test_numbers_in_their_odd_forms(number):
    assert tomllib.loads(toml.written({"x": number}))["x"] == number


def test_nan_and_moments():
    table = {"moment": datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC), "day": date(2026, 1, 2), "hour": time(3, 4)}
    assert tomllib.loads(toml.written(table)) == table
    assert tomllib.loads(toml.written({"x": float("nan")}))["x"] != 0


def test_what_toml_cannot_say_is_refused():
    with pytest.raises(TypeError, match="NoneType"):
        toml.written({"x": None})
