import pytest

from exchange.core.commands import Attend, CreateInvite, Identify, Ignore, PassOn, Ping, Redeem, Send
from exchange.core.errors import NotIdentified
from exchange.core.pairs import End, Role
from exchange.core.session import Session, State
from exchange.core.user import LocalUser


@pytest.fixture
def session() -> Session:
    return Session("client", dialect="magi", address="192.0.2.1", since_ms=5)


def test_a_session_begins_as_nobody(session):
    assert session.state is State.ANONYMOUS
    assert session.user is None
    with pytest.raises(NotIdentified):
        session.identified()


@pytest.mark.parametrize("command", [Identify, Redeem, Attend])
def test_nobody_may_say_who_it_is(session, command):
    session.check(command)


@pytest.mark.parametrize("command", [CreateInvite, Send, PassOn, Ping, Ignore])
def test_nobody_may_do_nothing_else(session, command):
    with pytest.raises(NotIdentified):
        session.check(command)


ANYTHING = [Identify, Redeem, CreateInvite, Send, Attend, PassOn, Ping, Ignore]


@pytest.mark.parametrize("command", ANYTHING)
def test_an_identified_session_may_ask_anything(session, command):
    session.state = State.IDENTIFIED
    session.check(command)


@pytest.mark.parametrize("command", ANYTHING)
def test_an_ended_session_may_ask_nothing(session, command):
    session.state = State.ENDED
    with pytest.raises(NotIdentified):
        session.check(command)


def test_an_identified_session_has_its_user(session):
    session.user = LocalUser("u1", "ann", "Ann")
    assert session.identified() is session.user


def test_a_session_without_a_place_in_a_pair_does_not_attend(session):
    with pytest.raises(NotIdentified):
        session.attending()


def test_a_session_that_attends_has_its_end(session):
    session.end = End("pair", Role.PHONE, 7)
    assert session.attending() is session.end
    with pytest.raises(NotIdentified):
        session.identified()
