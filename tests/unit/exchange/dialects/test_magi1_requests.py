"""Twin of ``exchange/dialects/magi1_requests.py``."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core import commands as c
from exchange.core import errors as e
from exchange.core.model import Kind
from exchange.core.session import NEEDED
from exchange.dialects.errors import REQUESTS
from exchange.dialects.magi1 import Magi1
from exchange.dialects.magi1_requests import ASK, UNUSABLE, Misfit
from magi.wire.magi1_requests import TYPES

DIALECT = Magi1()


def ask(**message: Any) -> c.Command[object]:
    return DIALECT.ask(json.dumps(message).encode())


# --- of every client -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "", 5, [], "a\nb"])
def test_an_unusable_username_is_left_to_the_handler(name):
    assert ask(type="identify", username=name, nickname="A") == c.Identify("", None, "A")


def test_the_nickname_defaults_to_the_username():
    assert ask(type="identify", username="ada") == c.Identify("", "ada", "ada")
    assert ask(type="identify", username="ada", nickname=7) == c.Identify("", "ada", "ada")


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        (None, None),
        ("ids", None),
        ({}, None),
        ([], set()),
        (["ids"], {"ids"}),
        (["ids", "offline", 5], {"ids", "offline"}),
        (["telepathy"], set()),
    ],
)
def test_only_features_that_exist_are_wanted(features, wanted):
    command = ask(type="identify", username="ada", features=features)
    assert isinstance(command, c.Identify)
    assert command.features == (None if wanted is None else frozenset(wanted))


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


@pytest.mark.parametrize(
    ("token", "passed"),
    [(None, ""), ("abc", "abc"), ("x" * 200, "x" * 200), ("", UNUSABLE), (5, UNUSABLE), ("x" * 201, UNUSABLE)],
)
def test_a_token_that_cannot_be_one_is_still_one_that_was_given(token, passed):
    assert ask(type="identify", username="ada", token=token) == c.Identify("", "ada", "ada", None, passed)
    command = ask(type="connect", code="ABC123", username="ada", token=token)
    assert command == c.Redeem("", "ABC123", c.Identify("", "ada", "ada", None, passed))


def test_an_invitation_says_nothing_special_unless_it_is_asked_to():
    assert ask(type="create_invite") == c.CreateInvite()
    assert ask(type="create_invite", length=None, confirm=False, **{"for": None}) == c.CreateInvite()
    command = ask(type="create_invite", length=8, confirm=True, **{"for": "bob"})
    assert command == c.CreateInvite("", 8, "bob", True)


@pytest.mark.parametrize(
    ("length", "characters"), [(6, 6), (16, 16), (5, -1), (17, -1), (0, -1), (-1, -1), (8.0, -1), ("8", -1), (True, -1)]
)
def test_a_length_that_no_code_can_have_is_marked_for_the_handler(length, characters):
    assert ask(type="create_invite", length=length) == c.CreateInvite(characters=characters)


@pytest.mark.parametrize("name", ["", 5, ["bob"], "a\nb", "x" * 255])
def test_an_invitation_for_nobody_is_marked_for_the_handler(name):
    assert ask(type="create_invite", **{"for": name}) == c.CreateInvite(for_name=UNUSABLE)


@pytest.mark.parametrize("confirm", ["yes", 1, 0, "", [], "false"])
def test_an_unclear_confirm_is_a_yes(confirm):
    assert ask(type="create_invite", confirm=confirm) == c.CreateInvite(confirm=True)


# --- of extended clients ---------------------------------------------------------------------------------------------

NAMED = pytest.mark.parametrize(
    ("type_", "command"), [("unfriend", c.Unfriend), ("block", c.Block), ("unblock", c.Unblock)]
)
USABLE: dict[str, dict[str, Any]] = {
    "ack": {"upTo": "1700000000000-3"},
    "friends": {},
    "unfriend": {"username": "bob"},
    "block": {"username": "bob"},
    "unblock": {"username": "bob"},
    "presence": {"status": "idle"},
    "history": {"connectionId": "k1"},
    "confirm": {"code": "ABC123", "username": "bob"},
}


def test_every_request_of_the_wire_is_translated():
    assert {frame.__struct_config__.tag for frame in ASK} == TYPES
    assert set(USABLE) == set(REQUESTS.values())


@pytest.mark.parametrize("type_", USABLE)
def test_a_request_of_section_12_becomes_the_command_with_its_word_and_keeps_its_id(type_):
    command = ask(type=type_, id="m1", **USABLE[type_])
    assert REQUESTS[type(command)] == type_
    assert command.id == "m1"


def test_an_ack_names_an_offset():
    assert ask(type="ack", upTo="5-0") == c.Ack("", "5-0")


@NAMED
def test_whom_it_is_about_is_a_username(type_, command):
    assert ask(type=type_, username="bob") == command("", "bob")


def test_presence_changes_what_it_names_and_nothing_else():
    assert ask(type="presence") == c.SetPresence("", None, None)
    assert ask(type="presence", status="working") == c.SetPresence("", "working", None)
    assert ask(type="presence", status=None, capabilities=[]) == c.SetPresence("", None, ())
    assert ask(type="presence", capabilities=["a", "b"]) == c.SetPresence("", None, ("a", "b"))


@pytest.mark.parametrize(("limit", "most"), [(None, 0), (1, 1), (100, 100), (101, 100), (10**30, 100)])
def test_a_page_of_history_has_a_bound(limit, most):
    assert ask(type="history", connectionId="k1", limit=limit) == c.ReadHistory("", "k1", "", most)


def test_history_goes_back_from_an_offset():
    assert ask(type="history", connectionId="k1", before="9-1") == c.ReadHistory("", "k1", "9-1", 0)


@pytest.mark.parametrize(("code", "found"), [(" abc123 ", "ABC123"), ("no code", None), ("", None)])
def test_a_code_to_confirm_is_read_as_in_a_redeem(code, found):
    assert ask(type="confirm", code=code, username="bob") == c.Confirm("", found, "bob")


UNUSABLES = [
    *(("ack", "upTo", value) for value in (None, "", 5, "5", "a-b", "5-0\n", "9" * 17 + "-0", ["5-0"])),
    *((type_, "username", value) for type_ in ("unfriend", "block", "unblock") for value in (None, "", 5, "a\nb")),
    *(("presence", "status", value) for value in ("", "away", 5, ["idle"], False)),
    *(("presence", "capabilities", value) for value in ("a", [5], [""], ["x" * 65], ["a"] * 33, {})),
    *(("history", "connectionId", value) for value in (None, "", 5, "x" * 65)),
    *(("history", "before", value) for value in ("", 5, "newest")),
    *(("history", "limit", value) for value in (0, -1, "5", 1.5, True)),
    *(("confirm", "code", value) for value in (None, 5, ["ABC123"])),
    *(("confirm", "username", value) for value in (None, "", 5)),
]


@pytest.mark.parametrize(("type_", "field", "value"), UNUSABLES)
def test_a_value_that_cannot_be_used_is_named(type_, field, value):
    with pytest.raises(Misfit) as caught:
        ask(type=type_, id="m1", **USABLE[type_] | {field: value})
    fault = caught.value.fault
    assert isinstance(fault, e.Unusable)
    assert fault.what == field
    assert (REQUESTS[caught.value.request], caught.value.id) == (type_, "m1")
    assert caught.value.unknown().type == type_


@pytest.mark.parametrize("type_", USABLE)
@pytest.mark.parametrize("id_", ["", 5, "x" * 65, ["a"]])
def test_an_unusable_message_id_of_a_request_of_section_12_is_malformed(type_, id_):
    with pytest.raises(Misfit) as caught:
        ask(type=type_, id=id_, **USABLE[type_])
    assert type(caught.value.fault) is e.Malformed
    assert caught.value.id == ""


def test_every_request_that_needs_a_feature_has_a_word():
    assert set(REQUESTS) == set(NEEDED)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
KEYS = ["id", "username", "status", "capabilities", "connectionId", "before", "limit", "code", "upTo", "length", "for"]


@given(st.sampled_from(sorted(TYPES)), st.dictionaries(st.sampled_from([*KEYS, "confirm", "token", "features"]), ANY))
def test_whatever_stands_in_the_fields_a_request_is_a_command_or_malformed(type_, fields):
    try:
        command = ask(type=type_, **fields)
    except e.UnknownRequest:
        raise
    except e.Malformed:
        return
    assert isinstance(command, c.Command)
