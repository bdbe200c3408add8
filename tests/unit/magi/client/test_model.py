"""The nouns of a client."""

import pytest

from magi.client.model import KINDS, Event, Friend, Incoming, Kind, Origin, Outgoing, Trace
from magi.client.states import State


@pytest.mark.parametrize(
    ("features", "objects", "mail"),
    [(set(), False, False), ({"objects"}, True, False), ({"offline", "ids"}, False, True)],
)
def test_what_a_friend_takes_is_what_its_client_was_granted(features, objects, mail):
    """CLI-14, MAGI-48"""
    friend = Friend("bob@example.com", "Bob", features=frozenset(features))
    assert (friend.takes_objects, friend.takes_mail) == (objects, mail)


def test_a_new_message_of_ours_is_pending_and_a_persons():
    message = Outgoing("id", "bob", Kind.ASK, "text", 1, 2)
    assert (message.state, message.origin, message.trace) == (State.PENDING, Origin.HUMAN, Trace())


def test_a_new_message_of_a_friend_is_open():
    assert Incoming("id", "bob", "Bob", Kind.ASK, "text", 1).settled == ""


def test_events_are_of_known_kinds():
    assert Event("connected").kind in KINDS
    assert len(set(KINDS)) == len(KINDS)
