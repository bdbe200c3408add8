"""Twin of ``magi/wire/grammar.py``."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.wire import grammar
from magi.wire.limits import CODE_ALPHABET, MESSAGE_ID_CHARACTERS, NICKNAME_CHARACTERS, USERNAME_CHARACTERS

ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=2))
NOT_STRINGS = [None, True, 0, 1.5, [], ["ada"], {"name": "ada"}, b"ada"]


@pytest.mark.parametrize("name", ["a", "ada@example.com", " ada ", "Ada", "Жанна", "名前", "a" * USERNAME_CHARACTERS])
def test_a_usable_username_is_kept_exactly(name):
    assert grammar.username(name) == name


@pytest.mark.parametrize("name", ["", "a" * (USERNAME_CHARACTERS + 1), *NOT_STRINGS])
def test_an_empty_a_long_and_a_mistyped_username_are_refused(name):
    assert grammar.username(name) is None


@pytest.mark.parametrize(
    "character", ["\0", "\n", "\x1b", "\x7f", "\x85", "\u200b", "\u202e", "\u2028", "\u2029", "\ue000", "\ud800"]
)
def test_a_username_with_a_hidden_character_is_refused(character):
    assert grammar.hidden(character)
    assert grammar.username(f"ada{character}") is None


@given(ANYTHING)
def test_username_is_idempotent(value):
    name = grammar.username(value)
    assert name is None or (name == value and grammar.username(name) == name)


@pytest.mark.parametrize("nick", ["", *NOT_STRINGS])
def test_a_missing_nickname_is_the_default(nick):
    assert grammar.nickname(nick, "ada@example.com") == "ada@example.com"


def test_a_nickname_of_hidden_characters_only_is_the_default():
    assert grammar.nickname("\u200b\x1b\u202e", "ada") == "ada"


def test_a_long_nickname_and_a_long_default_are_cut():
    assert grammar.nickname("n" * 300, "") == "n" * NICKNAME_CHARACTERS
    assert grammar.nickname(None, "u" * 254) == "u" * NICKNAME_CHARACTERS


def test_a_nickname_is_composed_and_loses_what_cannot_be_seen():
    assert grammar.nickname("A\u0308da\n\u202e!", "x") == "Äda!"


def test_a_tower_of_combining_marks_is_shortened():
    assert grammar.nickname("x" + "\u0323" * 50, "y") == "x" + "\u0323" * 4


def test_a_nickname_that_loses_a_hidden_character_is_composed_all_the_same():
    assert grammar.nickname("A\u200b\u0308da", "x") == "Äda"


@given(ANYTHING, st.text("ab@.-", min_size=1, max_size=254))
def test_nickname_is_idempotent_short_and_never_empty(value, default):
    nick = grammar.nickname(value, default)
    assert 0 < len(nick) <= NICKNAME_CHARACTERS
    assert grammar.nickname(nick, default) == nick


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("ABC123", "ABC123"),
        ("abc123", "ABC123"),
        ("  aBc123\n", "ABC123"),
        ("0" * 16, "0" * 16),
        ("abcdefg", "ABCDEFG"),
    ],
)
def test_a_code_is_trimmed_and_upper_cased(typed, stored):
    assert grammar.code(typed) == stored


@pytest.mark.parametrize(
    "typed", ["", "ABC12", "A" * 17, "ABC-123", "ABC 123", "ABCDÉF", "ABC12\u0661", "K" * 5 + "\u212a", *NOT_STRINGS]
)
def test_what_no_code_can_look_like_is_refused(typed):
    assert grammar.code(typed) is None


@given(ANYTHING | st.text(alphabet=CODE_ALPHABET + CODE_ALPHABET.lower() + " ", max_size=20))
def test_code_is_idempotent(value):
    code = grammar.code(value)
    assert code is None or grammar.code(code) == code


@pytest.mark.parametrize("id_", ["1", "q-1", "é", "x" * MESSAGE_ID_CHARACTERS])
def test_a_usable_message_id_is_kept(id_):
    assert grammar.message_id(id_) == id_


@pytest.mark.parametrize("id_", ["", "x" * (MESSAGE_ID_CHARACTERS + 1), "a\nb", "a\u200bb", *NOT_STRINGS])
def test_an_unusable_message_id_is_refused(id_):
    assert grammar.message_id(id_) is None


@pytest.mark.parametrize("token", ["1", "abc234", "x" * 200])
def test_a_usable_token_is_kept(token):
    assert grammar.token(token) == token


@pytest.mark.parametrize("token", ["", "x" * 201, "a\nb", "a\0", *NOT_STRINGS])
def test_what_can_be_no_token_is_refused(token):
    assert grammar.token(token) is None


@pytest.mark.parametrize("offset", ["0-0", "1700000000000-12", "9" * 16 + "-" + "9" * 10])
def test_an_offset_is_kept(offset):
    assert grammar.offset(offset) == offset


@pytest.mark.parametrize(
    "offset",
    ["", "1", "-1", "1-", "1-2-3", " 1-2", "1-2\n", "9" * 17 + "-1", "1-" + "9" * 11, "\u0661-1", "+", *NOT_STRINGS],
)
def test_what_can_be_no_offset_is_refused(offset):
    assert grammar.offset(offset) is None


@pytest.mark.parametrize("status", ["idle", "working", "blocked"])
def test_a_status_is_one_of_three_words(status):
    assert grammar.status(status) == status


@pytest.mark.parametrize("status", ["", "Idle", "busy", "idle ", *NOT_STRINGS])
def test_another_status_is_refused(status):
    assert grammar.status(status) is None


@pytest.mark.parametrize("words", [[], ["python"], ["a", "a"], ["x" * 64], ["w"] * 32])
def test_capabilities_are_kept_as_they_are(words):
    assert grammar.capabilities(words) == tuple(words)


@pytest.mark.parametrize("words", [["w"] * 33, ["x" * 65], [""], ["a", 5], ["a\nb"], "python", ("a",), None, {"a": 1}])
def test_too_many_long_empty_or_mistyped_capabilities_are_refused(words):
    assert grammar.capabilities(words) is None
