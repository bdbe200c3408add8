"""Twin of ``exchange/dialects/magi1.py``."""

import json
from typing import get_args

import pytest

from exchange.core import commands as c
from exchange.core import errors as e
from exchange.core import events
from exchange.core.model import Envelope, Kind
from exchange.core.session import Session
from exchange.dialects.magi1 import FEATURES, IDS, Magi1

DIALECT = Magi1()
ENVELOPE = Envelope(Kind.QUESTION, "u1", "k1", 9000, 1000, b'{"a": 1.0}')
TOLD: list[events.Event] = [
    events.Greeted("c1"),
    events.FriendCame("k1", "ada", "Ada"),
    events.FriendWent("ada", "Ada"),
    events.Delivered(ENVELOPE, "ada", "Ada"),
]


@pytest.fixture
def plain() -> Session:
    return Session("c1", dialect="magi", address="", since_ms=0)


@pytest.fixture
def extended(plain) -> Session:
    plain.features = frozenset({IDS})
    return plain


def ask(**message) -> c.Command[object]:
    return DIALECT.ask(json.dumps(message).encode())


def answers(session, command, reply) -> list[dict]:
    return [json.loads(message) for message in DIALECT.answer(session, command, reply)]


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "", 5, [], "a\nb"])
def test_an_unusable_username_is_left_to_the_handler(name):
    assert ask(type="identify", username=name, nickname="A") == c.Identify("", None, "A")


def test_the_nickname_defaults_to_the_username():
    assert ask(type="identify", username="ada") == c.Identify("", "ada", "ada")
    assert ask(type="identify", username="ada", nickname=7) == c.Identify("", "ada", "ada")


@pytest.mark.parametrize(
    ("features", "granted"),
    [
        (None, None),
        ("ids", None),
        ({}, None),
        ([], set()),
        (["ids"], {"ids"}),
        (["ids", "offline", 5], {"ids"}),
        (["telepathy"], set()),
    ],
)
def test_features_are_granted_only_from_those_that_exist(features, granted):
    command = ask(type="identify", username="ada", features=features)
    assert isinstance(command, c.Identify)
    assert command.features == (None if granted is None else frozenset(granted))
    assert FEATURES >= (command.features or frozenset())


@pytest.mark.parametrize("code", [" abc123\n", "ABC123"])
def test_a_code_reaches_the_core_in_its_stored_form(code):
    assert ask(type="connect", code=code) == c.Redeem("", "ABC123", None)


@pytest.mark.parametrize("code", [None, 123456, "", "nope!!"])
def test_an_impossible_code_is_left_to_the_handler(code):
    assert ask(type="connect", code=code) == c.Redeem("", None, None)


@pytest.mark.parametrize("name", [None, "", 0, False, 0.0])
def test_a_falsy_inline_username_is_no_identify(name):
    assert ask(type="connect", code="ABC123", username=name) == c.Redeem("", "ABC123", None)


@pytest.mark.parametrize(
    ("name", "usable"), [("ada", "ada"), (5, None), ([], None), ({}, None), (True, None), ("\n", None)]
)
def test_a_truthy_inline_username_is_a_whole_identify(name, usable):
    command = ask(type="connect", code="ABC123", username=name, nickname="A")
    assert command == c.Redeem("", "ABC123", c.Identify("", usable, "A"))


@pytest.mark.parametrize(("type_", "kind"), [("ask", Kind.QUESTION), ("answer", Kind.ANSWER)])
def test_ask_and_answer_differ_in_kind_only(type_, kind):
    assert ask(type=type_, content="hi", to="bob") == c.Send(kind=kind, to="bob", body=b'"hi"', characters=2)


@pytest.mark.parametrize("to", [None, ""])
def test_no_target_is_empty(to):
    assert ask(type="ask", content="hi", to=to) == ask(type="ask", content="hi")


@pytest.mark.parametrize(("to", "name"), [(5, "5"), (False, "false"), (["bob"], '["bob"]')])
def test_a_target_of_another_type_is_looked_for_by_its_json_text(to, name):
    command = ask(type="ask", content="hi", to=to)
    assert isinstance(command, c.Send)
    assert command.to == name


@pytest.mark.parametrize("message", [b'{"type":"ask"}', b'{"type":"ask","content":null}'])
def test_missing_content_is_left_to_the_handler(message):
    command = DIALECT.ask(message)
    assert isinstance(command, c.Send)
    assert command.body is None


@pytest.mark.parametrize("content", [b'""', b"0", b"false", b"[]", b"{}", b"1.0", b'"null"'])
def test_falsy_content_is_content(content):
    command = DIALECT.ask(b'{"type":"answer","content":' + content + b"}")
    assert isinstance(command, c.Send)
    assert command.body == content


def test_additive_fields_reach_the_core():
    command = ask(type="answer", content=1, id="m1", replyTo="q1", trace=["a", "b"], expires=77)
    assert isinstance(command, c.Send)
    assert (command.id, command.reply_to, command.trace, command.expires_ms) == ("m1", "q1", ("a", "b"), 77)


@pytest.mark.parametrize(
    ("content", "characters"),
    [('"hi"', 2), ('"é"', 1), ('"\\u00e9\\n"', 2), ('""', 0), ("12.50", 5), ("[1, 2]", 6), ('{"é":1}', 7)],
)
def test_length_is_that_of_a_string_or_else_of_the_json_text(content, characters):
    command = DIALECT.ask(b'{"type":"ask","content":' + content.encode() + b"}")
    assert isinstance(command, c.Send)
    assert command.characters == characters


@pytest.mark.parametrize(
    "field", [{"trace": "x"}, {"trace": ["h"] * 17}, {"expires": "1"}, {"expires": -1}, {"expires": True}]
)
def test_additive_fields_of_a_wrong_shape_count_as_absent(field):
    command = ask(type="ask", content=1, **field)
    assert isinstance(command, c.Send)
    assert (command.trace, command.expires_ms) == ((), 0)


@pytest.mark.parametrize("type_", ["identify", "create_invite", "connect", "ask", "answer"])
@pytest.mark.parametrize("id_", ["", 5, "x" * 65, ["a"]])
def test_an_unusable_message_id_is_malformed(type_, id_):
    with pytest.raises(e.Malformed):
        ask(type=type_, id=id_, content=1)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"{", e.Unparsed),
        (b"\xff", e.Unparsed),
        (b"[" * 99, e.Unparsed),
        (b"null", e.Malformed),
        (b"5", e.UnknownRequest),
    ],
)
def test_what_is_no_request_is_refused_by_what_is_wrong_with_it(message, error):
    with pytest.raises(error) as caught:
        DIALECT.ask(message)
    assert type(caught.value) is error


# --- replies ---------------------------------------------------------------------------------------------------------


def test_identified_shows_features_only_to_who_asked(plain):
    exact = {"type": "identified", "username": "ada", "nickname": "A", "clientId": "c1"}
    assert answers(plain, c.Identify(), c.Identified("ada", "A")) == [exact]
    granted = c.Identified("ada", "A", frozenset({"ids"}))
    assert answers(plain, c.Identify(id="m1"), granted) == [exact | {"features": ["ids"], "id": "m1"}]


@pytest.mark.parametrize(
    ("life_ms", "text"), [(1_800_000, "30 minutes"), (60_000, "1 minute"), (1_000, "1 minute"), (125_000, "2 minutes")]
)
def test_the_life_of_an_invitation_is_told_in_whole_minutes(plain, life_ms, text):
    reply = c.InviteCreated("ABC123", "Ada", life_ms, 99)
    assert answers(plain, c.CreateInvite(), reply) == [
        {"type": "invite_created", "code": "ABC123", "from": "Ada", "expiresIn": text}
    ]


def test_an_extended_client_hears_when_its_invitation_ends(extended):
    (frame,) = answers(extended, c.CreateInvite("m1"), c.InviteCreated("ABC123", "Ada", 1_800_000, 99))
    assert (frame["expiresAt"], frame["id"]) == (99, "m1")


def test_a_redeem_is_one_frame_and_with_an_inline_identify_two(plain):
    exact = {"type": "connected_to_friend", "connectionId": "k1", "friend": {"username": "ada", "nickname": "Ada"}}
    assert answers(plain, c.Redeem(), c.Redeemed("k1", "ada", "Ada")) == [exact]
    first, second = answers(plain, c.Redeem(), c.Redeemed("k1", "ada", "Ada", c.Identified("bob", "Bob")))
    assert (first["type"], second) == ("identified", exact)


@pytest.mark.parametrize(("kind", "type_"), [(Kind.QUESTION, "question_sent"), (Kind.ANSWER, "answer_sent")])
def test_a_receipt_echoes_content_byte_for_byte(plain, kind, type_):
    (message,) = DIALECT.answer(plain, c.Send("", kind, "", b'{ "a": 1e5 }'), c.Sent(kind, "Bob"))
    assert message == b'{"type":"' + type_.encode() + b'","content":{ "a": 1e5 },"to":"Bob"}'


def test_every_reply_has_words():
    replies = {c.Identified, c.InviteCreated, c.Redeemed, c.Sent}
    assert set(get_args(c.Reply)) == replies


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_plain_client_is_refused_with_the_text_alone(plain):
    assert json.loads(DIALECT.refuse(plain, c.Send(), e.AskLimit(1500))) == {
        "type": "error",
        "message": "Rate limit exceeded. Try again in 2 seconds.",
    }


def test_an_extended_client_is_refused_with_name_wait_and_id(extended):
    assert json.loads(DIALECT.refuse(extended, c.Send("m1"), e.AskLimit(1500))) == {
        "type": "error",
        "message": "Rate limit exceeded. Try again in 2 seconds.",
        "code": "rate_limited",
        "retryAfterMs": 1500,
        "id": "m1",
    }


def test_an_extended_client_is_told_no_wait_where_there_is_none(extended):
    assert "retryAfterMs" not in json.loads(DIALECT.refuse(extended, c.Send(), e.NoFriends()))


def test_a_request_that_was_not_understood_is_refused_too(plain):
    assert json.loads(DIALECT.refuse(plain, None, e.UnknownRequest("ping"))) == {
        "type": "error",
        "message": "Unknown message type: ping",
    }


# --- events ----------------------------------------------------------------------------------------------------------


def test_every_event_it_is_given_has_words(plain):
    assert {type(event) for event in TOLD} == DIALECT.tells == set(get_args(events.Event))
    types = [json.loads(DIALECT.tell(plain, event))["type"] for event in TOLD]
    assert types == ["connected", "friend_connected", "friend_disconnected", "question"]


def test_a_plain_client_gets_a_question_without_additive_fields(plain):
    envelope = ENVELOPE._replace(id="m1", trace=("h",), expires_ms=5)
    message = DIALECT.tell(plain, events.Delivered(envelope, "ada", "Ada"))
    assert message == b'{"type":"question","content":{"a": 1.0},"from":"ada","fromNickname":"Ada"}'


def test_an_extended_client_gets_them_all(extended):
    envelope = ENVELOPE._replace(kind=Kind.ANSWER, id="m1", reply_to="q1", trace=("h",), expires_ms=5)
    frame = json.loads(DIALECT.tell(extended, events.Delivered(envelope, "ada", "Ada")))
    assert frame == {
        "type": "answer",
        "content": {"a": 1},
        "from": "ada",
        "fromNickname": "Ada",
        "id": "m1",
        "ts": 1000,
        "replyTo": "q1",
        "trace": ["h"],
        "expires": 5,
    }


def test_a_question_has_nothing_to_reply_to(extended):
    envelope = ENVELOPE._replace(id="m1", reply_to="q1")
    frame = json.loads(DIALECT.tell(extended, events.Delivered(envelope, "ada", "Ada")))
    assert "replyTo" not in frame
