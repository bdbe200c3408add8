"""A table of links, and who a target means (MAGI-27)."""

from dataclasses import replace

import pytest

from exchange.core.errors import NoFriends, NotConnected, UserUnknown
from exchange.core.links import LinkTable, changed, differences, differs
from exchange.core.model import Link

ANN = Link("u1", "c1", "ann@one.example", "Annie", made=1)
BOB = Link("u2", "c2", "bob@two.example", "Robert", made=2)
CAT = Link("u3", "c3", "cat", "Bob", made=3)


@pytest.fixture
def table() -> LinkTable:
    return LinkTable([ANN, BOB, CAT], rev=7)


def test_links_are_found_by_peer_and_by_exact_name(table):
    assert table.get("u1") is ANN
    assert table.named("ann@one.example") is ANN
    assert table.get("u9") is None
    assert table.named("Ann@one.example") is None
    assert (len(table), set(table), table.rev) == (3, {ANN, BOB, CAT}, 7)


def test_a_link_with_the_same_peer_replaces_the_first_one(table):
    renamed = replace(ANN, name="anna")
    table.put(renamed)
    assert table.named("ann@one.example") is None
    assert table.named("anna") is table.get("u1") is renamed
    assert len(table) == 3


def test_a_dropped_link_is_returned_and_gone(table):
    assert table.drop("u1") is ANN
    assert table.drop("u1") is None
    assert table.named(ANN.name) is None


def test_a_name_that_passed_to_another_peer_survives_the_first_holder(table):
    heir = Link("u9", "c9", ANN.name, "Heir")
    table.put(heir)
    table.drop("u1")
    assert table.named(ANN.name) is heir


# --- the most recent friend ------------------------------------------------------------------------------------------


def test_without_a_target_the_most_recent_friend_is_meant(table):
    assert table.latest() is CAT


def test_who_is_here_goes_before_who_is_awaited(table):
    table.put(replace(CAT, waiting=True))
    assert table.latest() is BOB


def test_if_nobody_is_here_the_most_recent_friend_is_named_in_the_refusal():
    table = LinkTable([replace(ANN, waiting=True), replace(BOB, waiting=True)])
    with pytest.raises(NotConnected) as refusal:
        table.latest()
    assert refusal.value.nick == "Robert"


def test_without_friends_nobody_is_meant():
    with pytest.raises(NoFriends):
        LinkTable().latest()


# --- likenesses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["ANN@ONE.EXAMPLE", "annie", "Annie", "ann", "ANN", "@annie", "@ann"], ids=lambda target: target
)
def test_a_name_nickname_or_local_part_is_enough_in_any_case(table, target):
    assert table.alike(target) is ANN


@pytest.mark.parametrize("target", ["an", "one.example", "@@ann", "", "@", "annie "])
def test_less_than_that_is_not_enough(table, target):
    with pytest.raises(UserUnknown):
        table.alike(target)


def test_what_fits_two_friends_means_none(table):
    with pytest.raises(UserUnknown):
        table.alike("bob")  # one by local part, one by nickname


def test_case_is_folded_not_lowered():
    strasse = Link("u1", "c1", "straße", "X")
    assert LinkTable([strasse]).alike("STRASSE") is strasse


# --- differences -----------------------------------------------------------------------------------------------------


def test_differences_are_by_connection():
    again = replace(BOB, connection="c9")
    other_names = replace(ANN, name="anna", nick="A", made=9, waiting=True)
    came, went = differences(LinkTable([ANN, BOB]), LinkTable([other_names, again, CAT]))
    assert came == [again, CAT]
    assert went == [BOB]


def test_equal_tables_do_not_differ(table):
    assert differences(table, LinkTable([CAT, BOB, ANN])) == ([], [])


# --- what became of persistent friends -------------------------------------------------------------------------------

PAM = Link("u4", "c4", "pam", "Pam", made=4, persist=True)


@pytest.mark.parametrize("now", [{"waiting": True}, {"status": "working"}, {"capabilities": ("search",)}], ids=str)
def test_a_persistent_friend_differs_by_where_it_is_and_what_it_says_of_itself(now):
    assert differs(PAM, replace(PAM, **now))
    assert changed(LinkTable([ANN, PAM]), LinkTable([ANN, replace(PAM, **now)])) == [(PAM, replace(PAM, **now))]


@pytest.mark.parametrize("now", [{}, {"nick": "Pammy"}, {"stamp": 7}, {"connection": "c9", "waiting": True}], ids=str)
def test_another_name_or_another_friendship_is_no_such_difference(now):
    assert not differs(PAM, replace(PAM, **now))


def test_a_plain_friend_does_not_change_it_comes_and_goes():
    assert changed(LinkTable([ANN, PAM]), LinkTable([replace(ANN, waiting=True)])) == []
