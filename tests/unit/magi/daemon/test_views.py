import pytest

from magi.client.model import Kind, Origin
from magi.client.states import SAID, State
from magi.daemon import views
from tests.harness.desks import NOW_MS, ours, theirs


def test_an_item_has_the_words_as_they_came_and_the_owners_name_for_the_friend():
    message = theirs(text="\x1b[31mMilk?", origin=Origin.MODEL, thread="t", reply_to="a1", expires_ms=NOW_MS)
    item = views.item(message, "bobby")
    assert (item.id, item.who, item.kind, item.text, item.origin) == ("b1", "bobby", "ask", "\x1b[31mMilk?", "model")
    assert (item.thread, item.reply_to, item.expires_ms, item.received_ms) == ("t", "a1", NOW_MS, NOW_MS)


def test_what_a_newer_client_wrote_is_never_shown_as_text():
    """CLI-14."""
    assert views.item(theirs(kind=Kind.FOREIGN, text='{"magi":9}'), "bob").text == views.UNREADABLE


@pytest.mark.parametrize("state", State)
def test_every_state_is_said_with_the_friends_name(state):
    view = views.sent(ours(state=state), "bobby")
    assert (view.state, view.said) == (state.value, SAID[state].format(who="bobby"))


def test_the_exchanges_words_come_before_ours():
    assert views.sent(ours(detail="theirs"), "bob", detail="ours").detail == "theirs"
    assert views.sent(ours(), "bob", detail="ours").detail == "ours"


def test_an_answer_says_how_it_was_matched():
    view = views.sent(ours(), "bob", theirs(kind=Kind.ANSWER, text="Yes.", matched="order"))
    assert (view.answer, view.matched) == ("Yes.", "order")
