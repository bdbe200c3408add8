import pytest

from exchange.core.commands import CreateInvite, Identify, Redeem, Send
from exchange.core.errors import NotIdentified
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


@pytest.mark.parametrize("command", [Identify, Redeem])
def test_nobody_may_say_who_it_is(session, command):
    session.check(command)


@pytest.mark.parametrize("command", [CreateInvite, Send])
def test_nobody_may_do_nothing_else(session, command):
    with pytest.raises(NotIdentified):
        session.check(command)


@pytest.mark.parametrize("command", [Identify, Redeem, CreateInvite, Send])
def test_an_identified_session_may_ask_anything(session, command):
    session.state = State.IDENTIFIED
    session.check(command)


@pytest.mark.parametrize("command", [Identify, Redeem, CreateInvite, Send])
def test_an_ended_session_may_ask_nothing(session, command):
    session.state = State.ENDED
    with pytest.raises(NotIdentified):
        session.check(command)


def test_an_identified_session_has_its_user(session):
    session.user = LocalUser("u1", "ann", "Ann")
    assert session.identified() is session.user
