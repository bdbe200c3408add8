"""Twin of ``magi/client/refusals.py``: one map, total over what the exchange can say (CLI-13)."""

import re
from pathlib import Path

import pytest
from msgspec import UNSET

from exchange.dialects.errors import CODES
from magi.client.errors import (
    FriendAway,
    InviteRefused,
    NameTaken,
    NotFriends,
    RateLimited,
    Refused,
    TokenRefused,
    TooLarge,
    Unavailable,
)
from magi.client.refusals import TABLE, error_of
from magi.wire.magi1_frames import Error

PAGE = Path(__file__).parents[4] / "docs/protocols/magi.md"
SAMPLES = {"type": "telepathy", "to": "bob\nby", "nick": "Bob", "name": "Bob", "n": "7", "field": "status"}


def documented() -> list[tuple[str, str]]:
    """Return all texts of MAGI section 5 with their machine names, with names filled in."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## 5. ")[2].partition("\n## 6. ")[0]
    rows: list[tuple[str, str]] = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        code = re.fullmatch("`([a-z_]+)`", cells[-1])
        if len(cells) != 3 or code is None or cells[0] == "when":
            continue
        texts = re.findall("`([^`]+)`", cells[1]) or [rows[-1][0]]  # "the same"
        rows += [(re.sub("<([a-z]+)>", lambda found: SAMPLES[found[1]], text), code[1]) for text in texts]
    return rows


def test_the_table_has_every_code_of_the_exchange_and_no_other():
    assert set(TABLE) == CODES


def test_the_documented_texts_are_read():
    assert {code for _, code in documented()} == CODES
    assert ("Friend is not connected", "not_connected") in documented()


@pytest.mark.parametrize(("text", "code"), documented())
def test_a_text_alone_means_what_its_code_means(text, code):
    plain, extended = error_of(Error(text)), error_of(Error(text, code=code))
    assert type(plain) is type(extended) is TABLE[code][0]
    assert str(plain) == text


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("name_taken", NameTaken),
        ("token_invalid", TokenRefused),
        ("not_linked", NotFriends),
        ("not_connected", FriendAway),
        ("invite_expired", InviteRefused),
        ("mailbox_full", RateLimited),
        ("too_large", TooLarge),
        ("not_durable", Unavailable),
        ("id_reused", Refused),
    ],
)
def test_a_code_means_its_error_whatever_the_text_is(code, kind):
    assert type(error_of(Error("Résumé: no.", code=code))) is kind


def test_what_nobody_knows_is_refused_word_for_word():
    error = error_of(Error("The moon is wrong", code="moon", retryAfterMs=5000))
    assert type(error) is Refused
    assert (error.text, error.code, error.retry_after_ms) == ("The moon is wrong", "moon", 5000)


def test_a_new_code_with_a_known_text_means_what_the_text_means():
    assert type(error_of(Error("Username already taken", code="name_taken_2"))) is NameTaken


def test_the_time_to_wait_is_read_from_the_text_if_it_stands_nowhere_else():
    limited = error_of(Error("Rate limit exceeded. Try again in 12 seconds."))
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_ms == 12_000
    assert (
        error_of(Error("Rate limit exceeded. Try again in 12 seconds.", UNSET, "rate_limited", 11_500)).retry_after_ms
        == 11_500
    )
    assert (
        error_of(Error("Service temporarily unavailable. Please try again.", retryAfterMs=1500)).retry_after_ms == 1500
    )
