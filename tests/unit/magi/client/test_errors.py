"""What can go wrong, and what it carries (CLI-13)."""

import inspect

import pytest

from magi.client import errors

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.MagiError)]


def test_the_tree_on_the_page_is_the_tree():
    drawn = {line.split("─ ")[1].split()[0] for line in (errors.__doc__ or "").splitlines() if "─ " in line}
    assert drawn | {"MagiError"} == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_a_sentence(kind):
    if issubclass(kind, errors.Refused):
        return  # these say what the exchange said
    text = str(kind())
    assert text.endswith(".")
    assert "\n" not in text


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, errors.Refused)])
def test_a_refusal_keeps_the_exchanges_own_words(kind):
    error = kind("Friend is not connected", "not_connected", 1500)
    assert (str(error), error.text, error.code, error.retry_after_ms) == (
        "Friend is not connected",
        "Friend is not connected",
        "not_connected",
        1500,
    )


def test_unavailable_says_when_to_come_back():
    assert errors.Unavailable("Try again", 250).retry_after_ms == 250


def test_still_open_names_the_ask():
    error = errors.StillOpen("abc", "queued")
    assert (error.ask_id, error.state) == ("abc", "queued")
