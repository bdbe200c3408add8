"""What may be shown of people."""

import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.privacy import (
    MASKS,
    MOST,
    described,
    hidden,
    initial,
    masked_code,
    masked_name,
    masked_url,
    plain,
    scrubbed,
    short_id,
    shown,
)

ANYTHING = st.one_of(
    st.text(),
    st.text(alphabet="aZ9@.:/?=-•\n\x1b\u202e ", max_size=2000),
    st.characters().map(lambda character: character * 3000),
    st.binary(),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
)
LETTERS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12)


def safe(text: str) -> bool:
    return len(text) <= MOST and text.isprintable() and "•" not in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("john@example.com", "j***@example.com"),
        ("Jürgen@exämple.de", "J***@exämple.de"),
        ("john", "j***"),
        ("John Smith", "J***"),
        ("@john", "j***"),
        ("john@smith", "j***"),
        ("@example.com", "e***"),
        ("a@b@example.com", "a***@example.com"),
        ("john@exa mple.com", "j***"),
        ("", "***"),
        ("\r\n", "***"),
        (None, "***"),
        (7, "***"),
    ],
)
def test_a_name_is_shown_by_its_first_letter_and_an_email_address_also_by_its_domain(
    name: object, expected: str
) -> None:
    assert masked_name(name) == expected


def test_a_long_domain_is_cut() -> None:
    assert len(masked_name("j@" + "a" * 300 + ".com")) == MOST


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ABC123", "AB****"), ("ABCD", "****"), ("", "****"), ("\x1b[31mABC", "****"), (None, "****")],
)
def test_a_code_is_shown_by_its_first_two_characters(code: object, expected: str) -> None:
    assert masked_code(code) == expected


def test_an_id_is_shown_by_its_first_eight_characters() -> None:
    assert short_id("k3zq7d2mabcdefgh") == "k3zq7d2m"
    assert short_id("\n1234567890") == "\\n1234567"
    assert short_id(None) == "***"


@pytest.mark.parametrize(
    ("nick", "letter"), [("john", "J"), ("  @élan", "É"), ("ß", "S"), ("", "?"), ("\n🙂", "?"), (None, "?")]
)
def test_a_nickname_is_shown_by_its_first_letter_in_upper_case(nick: object, letter: str) -> None:
    assert initial(nick) == letter


def test_a_url_is_shown_by_its_scheme() -> None:
    assert masked_url("redis://user:secret@10.0.0.1:6379/0") == "redis://***"
    assert masked_url("john@example.com://x") == "***"
    assert masked_url("/bx?token=secret") == "***"


@given(ANYTHING)
def test_no_mask_raises_or_gives_an_unsafe_answer(value: object) -> None:
    for mask in (masked_name, masked_code, masked_url, short_id, initial, hidden):
        assert safe(mask(value)), mask


@given(st.sampled_from([*MASKS, "state"]), ANYTHING)
def test_no_field_raises_or_shows_an_unsafe_value(field: str, value: object) -> None:
    assert safe(shown(field, value))


@given(st.sampled_from([field for field in MASKS if field not in {"url", "uri"}]), LETTERS)
def test_no_field_that_is_masked_shows_a_whole_value(field: str, value: str) -> None:
    secret = value * 3
    assert secret not in shown(field, secret)
    assert secret not in shown(field, [secret, secret])


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("content", "how are you", "***"),
        ("content", 42, "***"),
        ("content", ["how"], "***"),
        ("redis_password", "hunter2", "***"),
        ("Authorization", "Bearer x", "***"),
        ("access_token", None, "***"),
        ("code", "ABC123", "AB****"),
        ("close_code", 1006, "1006"),
        ("user", "john", "j***"),
        ("user2", "jane@example.com", "j***@example.com"),
        ("recipient_name", "jane", "j***"),
        ("nick", "jane", "J"),
        ("peer_address", "10.1.1.1", "private"),
        ("redis_url", "redis://h:1", "redis://***"),
        ("client", "k3zq7d2mabcdefgh", "k3zq7d2m"),
        ("body_bytes", 12, "12"),
        ("seconds", 1.23456, "1.235"),
        ("ok", True, "True"),
        ("reasons", ("store", "lease"), "store,lease"),
        ("huge", 1 << 64, "int"),
        ("thing", object(), "object"),
        ("bytes", b"content", "bytes"),
        ("fields", {"password": "x"}, "dict"),
    ],
)
def test_a_field_is_masked_by_the_last_word_of_its_name(field: str, value: object, expected: str) -> None:
    assert shown(field, value) == expected


def test_a_member_of_an_enum_is_shown_as_its_value() -> None:
    assert shown("reason", enum.Enum("Reason", {"DRAIN": "drain"}).DRAIN) == "drain"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail john@example.com, now", "mail j***@example.com, now"),
        ("<john.smith@mail.example.com>", "<j***@mail.example.com>"),
        ("from 8.8.8.8:4567 to 10.0.0.1", "from remote:4567 to private"),
        ("Connect call failed ('127.0.0.1', 6379)", "Connect call failed ('localhost', 6379)"),
        ("peer 2001:db8::1 left", "peer remote left"),
        ("peer:2001:db8::1", "peer:remote"),
        ("peer ::ffff:10.0.0.1, fe80::1%eth0: gone", "peer private, private: gone"),
        ("at 12:34:56", "at 12:34:56"),
        ("GET /bx/stats?since=1&token=abc HTTP/1.1", "GET /bx/stats?*** HTTP/1.1"),
        ("redis://user:secret@host:6379/0", "redis://***"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9abc", "Bearer ey****"),
        ("id abcdefghijklmnopqrstuvwxy2", "id ab****"),
        ("code ABC123 used", "code AB**** used"),
        ("user said: line one\r\nline two\x1b[31m", "user said: line one\\r\\nline two\\x1b[31m"),
        ("a • b", "a \\u2022 b"),
        ("\u202egnp.exe \ud800", "\\u202egnp.exe \\ud800"),
        ("lane.callback_failed", "lane.callback_failed"),
        ("subscription_confirmed_unexpectedly", "subscription_confirmed_unexpectedly"),
    ],
)
def test_what_looks_personal_is_masked_wherever_it_stands(text: str, expected: str) -> None:
    assert scrubbed(text) == expected


@given(LETTERS, st.integers(min_value=0, max_value=1500), st.sampled_from([" ", ",", "x "]))
def test_an_email_address_is_masked_at_every_depth_of_a_long_text(local: str, depth: int, filler: str) -> None:
    text = (filler * depth)[:depth] + f" {local}secret@example.com tail"
    assert "secret" not in scrubbed(text)


def test_half_a_word_at_the_end_of_what_is_looked_at_is_not_shown() -> None:
    text = "a" * 985 + "@b.cd johnsecret@example.com"
    assert scrubbed(text) == "a***@b.cd …"


def test_plain_text_is_cut_with_a_mark() -> None:
    assert plain("é" * 201) == "é" * 199 + "…"
    assert len(plain("\n" * 150)) == MOST


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("john said hello"), "ValueError"),
        (KeyError("john"), "KeyError"),
        (ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 1)"), "Connect call failed ('private', 1)"),
        (OSError("john"), "OSError"),
        (TypeError("'NoneType' object is not callable"), "TypeError: 'NoneType' object is not callable"),
        (TypeError(7), "TypeError"),
        (UnprintableError(), "UnprintableError"),
    ],
)
def test_an_error_says_only_what_cannot_quote_a_user(error: BaseException, expected: str) -> None:
    assert described(error).endswith(expected)
    assert shown("error", error) == described(error)


def test_a_number_too_long_to_print_is_shown_as_its_type() -> None:
    assert shown("count", 10**5000) == "int"
