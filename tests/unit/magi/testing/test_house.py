"""Twin of ``magi/testing/house.py``: the rules by which a scripted exchange answers."""

import pytest
from msgspec import UNSET, Raw

from magi.testing import FEATURES
from magi.testing.house import Account, House
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r

EVERYTHING = frozenset(FEATURES)
TEA = Raw(b'"Tea?"')


def arrive(house: House, username: str, *features: str, token: str | None = None) -> Account:
    account = house.account(username)
    request = r.Identify(username, username.title(), list(features) if features else None, token=token)
    reply = house.identify(account, request, again=False)
    assert isinstance(reply, f.Identified), reply
    account.here = True
    return account


def pair(house: House, *features: str) -> tuple[Account, Account]:
    ada, bob = arrive(house, "ada", *features), arrive(house, "bob", *features)
    list(house.befriend(ada, bob))
    return ada, bob


def said(house: House, account: Account, request: r.Request) -> list[tuple[str, f.Frame]]:
    return [(to.username, frame) for to, frame in house.answer(account, request)]


def only(house: House, account: Account, request: r.Request) -> f.Frame:
    [(username, frame)] = said(house, account, request)
    assert username == account.username
    return frame


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_name_has_one_holder_who_comes_back_by_token():
    house = House(EVERYTHING)
    ada = arrive(house, "ada", *FEATURES)
    assert house.identify(ada, r.Identify("ada"), again=False) == f.Error("Username already taken", code="name_taken")
    wrong = house.identify(ada, r.Identify("ada", token="x"), again=False)
    assert wrong == f.Error("Resume token is not valid", code="token_invalid")
    [first] = ada.tokens
    arrive(house, "ada", *FEATURES, token=first)
    second, before = ada.tokens
    assert before == first
    arrive(house, "ada", *FEATURES, token=first)  # the one before stays good until the new one was used
    arrive(house, "ada", *FEATURES, token=ada.tokens[0])
    assert second not in ada.tokens


def test_a_name_with_friends_and_a_token_is_not_free_when_its_holder_is_away():
    house = House(EVERYTHING)
    ada, _ = pair(house, *FEATURES)
    ada.here = False
    assert isinstance(house.identify(ada, r.Identify("ada"), again=False), f.Error)


def test_whoever_identifies_again_keeps_what_it_was_granted():
    house = House(EVERYTHING)
    ada = arrive(house, "ada", *FEATURES)
    again = house.identify(ada, r.Identify("ada", "Ada L."), again=True)
    assert (again.nickname, again.features, again.token) == ("Ada L.", UNSET, UNSET)
    assert ada.features == EVERYTHING


def test_a_plain_house_grants_nothing_and_knows_no_tokens():
    house = House(frozenset())
    reply = house.identify(house.account("ada"), r.Identify("ada", features=["ids"], token="x"), again=False)
    assert (reply.features, reply.token, reply.nickname) == (UNSET, UNSET, "ada")


# --- messages --------------------------------------------------------------------------------------------------------


def test_a_stored_message_is_delivered_before_its_receipt_and_kept_until_it_is_acknowledged():
    house = House(EVERYTHING)
    ada, bob = pair(house, *FEATURES)
    (to, question), (back, receipt) = said(house, ada, r.Ask(content=TEA, to="bob", id="m1", expires=5, trace=["t"]))
    assert (to, back) == ("bob", "ada")
    assert (question.id, question.from_, question.fromNickname, question.content) == ("m1", "ada", "Ada", TEA)
    assert (question.expires, question.trace) == (5, ("t",))
    assert (receipt.status, receipt.id, receipt.to) == ("delivered", "m1", "Bob")
    assert list(house.came(bob))[-1] == (bob, question)
    assert said(house, bob, r.Ack(upTo=question.offset)) == []
    assert bob.mail == []


def test_a_repeat_has_no_second_effect_and_the_same_receipt():
    house = House(EVERYTHING)
    ada, bob = pair(house, *FEATURES)
    bob.here = False
    first = said(house, ada, r.Ask(content=TEA, to="bob", id="m1"))
    assert first[-1][1].status == "queued"
    bob.here = True
    assert said(house, ada, r.Ask(content=TEA, to="bob", id="m1")) == first[-1:]
    assert len(bob.mail) == 1


def test_an_ack_leaves_what_is_newer():
    house = House(EVERYTHING)
    ada, bob = pair(house, *FEATURES)
    for number in range(12):
        said(house, ada, r.Ask(content=TEA, to="bob", id=f"m{number}"))
    house.ack(bob, r.Ack(upTo=bob.mail[9].offset))
    assert [frame.id for frame in bob.mail] == ["m10", "m11"]


def test_an_answer_names_its_question():
    house = House(EVERYTHING)
    ada, bob = pair(house, *FEATURES)
    (_, answer), (_, receipt) = said(house, bob, r.Answer(content=TEA, to="ada", id="a1", replyTo="m1"))
    assert (answer.replyTo, type(receipt)) == ("m1", f.AnswerSent)
    assert ada.mail == [answer]


def test_between_plain_clients_nothing_is_stored_and_nothing_added():
    house = House(frozenset())
    ada, bob = pair(house)
    assert said(house, ada, r.Ask(content=TEA, to="bob", id="m1")) == [
        ("bob", f.Question(content=TEA, from_="ada", fromNickname="Ada")),
        ("ada", f.QuestionSent(content=TEA, to="Bob")),
    ]
    bob.here = False
    assert only(house, ada, r.Ask(content=TEA)) == f.Error("Bob is not connected")


def test_a_plain_client_at_an_extended_exchange_gets_no_fields_of_section_12():
    house = House(EVERYTHING)
    ada, bob = arrive(house, "ada", *FEATURES), arrive(house, "bob")
    list(house.befriend(ada, bob))
    (_, question), (_, receipt) = said(house, ada, r.Ask(content=TEA, to="bob", id="m1"))
    assert question == f.Question(content=TEA, from_="ada", fromNickname="Ada")
    assert (receipt.status, receipt.id) == (UNSET, "m1")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (r.Ask(content=TEA, to="cy", id="1"), "user_unknown"),
        (r.Connect(code="nothing", id="1"), "invite_unknown"),
        (r.Unfriend("cy", id="1"), "friend_unknown"),
        (r.History("c", id="1"), "unknown_type"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_code(request_, code):
    house = House(EVERYTHING)
    ada, _ = pair(house, *FEATURES)
    refusal = only(house, ada, request_)
    assert (refusal.code, refusal.id) == (code, "1")


def test_without_friends_there_is_nobody_to_ask():
    house = House(EVERYTHING)
    assert only(house, arrive(house, "ada"), r.Ask(content=TEA)).code == "no_friends"


def test_a_plain_house_does_not_know_the_requests_of_section_12():
    house = House(frozenset())
    ada, _ = pair(house)
    assert only(house, ada, r.Friends(id="1")) == f.Error("Unknown message type: friends")


# --- friends ---------------------------------------------------------------------------------------------------------


def test_an_invitation_joins_two_once():
    house = House(EVERYTHING)
    ada, bob = arrive(house, "ada", *FEATURES), arrive(house, "bob", *FEATURES)
    invite = only(house, ada, r.CreateInvite(id="1"))
    assert invite.expiresAt > 0
    assert only(house, ada, r.Connect(code=invite.code)).code == "own_invite"
    (to, joined), (other, heard) = said(house, bob, r.Connect(code=f" {invite.code.lower()} ", id="2"))
    assert (to, joined.id, joined.friend.username) == ("bob", "2", "ada")
    assert (other, heard.connectionId, heard.friend.username) == ("ada", joined.connectionId, "bob")
    assert (joined.friend.online, joined.friend.features) == (True, sorted(FEATURES))
    assert only(house, bob, r.Connect(code=invite.code)).code == "invite_unknown"


def test_friends_are_listed_with_what_their_clients_can_do():
    house = House(EVERYTHING)
    ada, bob = pair(house, *FEATURES)
    bob.here = False
    [entry] = only(house, ada, r.Friends(id="1")).friends
    assert (entry.username, entry.nickname, entry.online, entry.features) == ("bob", "Bob", False, sorted(FEATURES))


def test_friends_hear_who_comes_and_goes_and_what_it_does():
    house = House(EVERYTHING)
    ada, bob = pair(house, *FEATURES)
    (_, updated), (to, shown) = list(house.answer(bob, r.Presence("working", ["sql"], id="1")))
    assert (updated.status, updated.capabilities, updated.id) == ("working", ("sql",), "1")
    assert (to, shown.online, shown.status, shown.capabilities) == (ada, True, "working", ("sql",))
    bob.here = False
    [(to, gone)] = list(house.left(bob))
    assert (to, gone.online, gone.status, gone.friend.online) == (ada, False, UNSET, False)


def test_plain_friends_hear_who_comes_and_goes():
    house = House(frozenset())
    ada, bob = pair(house)
    heard = [(to.username, type(frame)) for to, frame in house.came(bob)]
    assert heard == [("ada", f.FriendConnected), ("bob", f.FriendConnected)]
    bob.here = False
    assert [(to, type(frame)) for to, frame in house.left(bob)] == [(ada, f.FriendDisconnected)]


@pytest.mark.parametrize(
    ("request_", "reply"), [(r.Unfriend("bob"), f.Unfriended("bob")), (r.Block("bob"), f.Blocked("bob"))]
)
def test_a_friendship_ends_for_both(request_, reply):
    house = House(EVERYTHING)
    ada, bob = pair(house, *FEATURES)
    assert said(house, ada, request_) == [("bob", f.FriendDisconnected(f.Friend("ada", "Ada"))), ("ada", reply)]
    assert (ada.friends, bob.friends) == ({}, {})
    assert only(house, ada, r.Unblock("bob")) == f.Unblocked("bob")
