"""Messages and friends as rows, and back."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.client.model import Friend, Incoming, Kind, Outgoing, Trace
from magi.desk import rows, schema
from tests.harness.desks import NOW_MS, ours, theirs

WHOLE = st.integers(0, 2**63 - 1)
TRACES = st.builds(Trace, id=st.text(), marks=st.lists(st.text()).map(tuple), turn=st.integers(-5, 2**70))


@pytest.fixture(scope="module")
def connection():
    opened = sqlite3.connect(":memory:", isolation_level=None)
    schema.bring_up(opened)
    yield opened
    opened.close()


@given(
    message=st.builds(
        Outgoing, id=st.text(), to=st.text(), text=st.text(), made_ms=WHOLE, expires_ms=WHOLE, trace=TRACES
    )
)
def test_every_message_of_ours_comes_back_as_it_was(connection, message):
    connection.execute("DELETE FROM outgoing")
    rows.add_out(connection, message)
    assert rows.find_out(connection, "") == [message]


@given(
    message=st.builds(
        Incoming, id=st.text(), sender=st.text(), text=st.text(), received_ms=WHOLE, expires_ms=WHOLE, trace=TRACES
    )
)
def test_every_message_to_us_comes_back_as_it_was(connection, message):
    connection.execute("DELETE FROM incoming")
    assert rows.add_in(connection, message)
    assert rows.find_in(connection, "") == [message]
    assert not rows.add_in(connection, message)


@given(
    friend=st.builds(
        Friend,
        username=st.text(),
        nickname=st.text(),
        features=st.frozensets(st.text()),
        capabilities=st.lists(st.text()).map(tuple),
    )
)
def test_every_friend_comes_back_as_it_was(friend):
    assert rows.friend(rows.of_friend(friend)) == friend


def test_a_time_that_no_column_holds_is_the_latest_that_it_does(connection):
    connection.execute("DELETE FROM incoming")
    rows.add_in(connection, theirs(expires_ms=10**30))
    assert rows.find_in(connection, "")[0].expires_ms == 2**63 - 1


def test_the_size_counts_bytes_and_not_characters():
    assert rows.size(theirs(text="ää")) - rows.size(theirs(text="")) == 4


def test_words_and_marks():
    assert rows.words((Kind.ASK, Kind.NOTE)) == ("ask", "note")
    assert rows.marks((1, 2, 3)) == "?, ?, ?"
    assert len(rows.of_outgoing(ours())) == len(rows.OUTGOING.split(", "))
    assert len(rows.of_incoming(theirs(received_ms=NOW_MS))) == len(rows.INCOMING.split(", "))
