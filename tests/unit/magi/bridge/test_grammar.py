"""Twin of ``magi/bridge/grammar.py``."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.bridge.grammar import HELP, Ask, Connect, Create, Friends, Help, Status, parse


@pytest.mark.parametrize(
    ("command", "meaning"),
    [
        ("magi create invite", Create()),
        ("brainx create invite", Create()),
        ("MAGI Create INVITE", Create()),
        ("  magi   create\tinvite \n", Create()),
        ('"magi create invite"', Create()),
        ("' “magi create invite” '", Create()),
        ("magi connect ABC123", Connect("ABC123")),
        ("magi connect abc123", Connect("ABC123")),
        ("brainx Connect To abc123", Connect("ABC123")),
        ('magi connect "abc123"', Connect("ABC123")),
        ("magi connect ABCDEFGH23456789", Connect("ABCDEFGH23456789")),
        ("magi friends", Friends()),
        ("magi STATUS", Status()),
        ("magi ask bob Which Redis do you run?", Ask("bob", "Which Redis do you run?")),
        ("magi ask friend about Redis", Ask("friend", "about Redis")),
        ("MAGI ASK Friend ABOUT Redis", Ask("friend", "ABOUT Redis")),
        ("magi ask Anyone What is up", Ask("anyone", "What is up")),
        ("magi ask @Bob hello", Ask("Bob", "hello")),
        ("magi ask @anyone hello", Ask("anyone", "hello")),
        ("magi ask bob@example.com hello", Ask("bob@example.com", "hello")),
        ("magi ask bob: hello", Ask("bob", "hello")),
        ("magi ask @bob, hello", Ask("bob", "hello")),
        ('magi ask "bob" hello', Ask("bob", "hello")),
        ("magi ask bob  two\n  lines  ", Ask("bob", "two\n  lines")),
        ("'magi ask bob what's up'", Ask("bob", "what's up")),
        ('"magi ask bob what is "x""', Ask("bob", 'what is "x"')),
        ('magi ask bob "quoted"', Ask("bob", '"quoted"')),
        ("magi ask bob status", Ask("bob", "status")),
    ],
)
def test_every_form_is_understood(command, meaning):
    assert parse(command) == meaning


@pytest.mark.parametrize(
    "command",
    [
        "",
        " ",
        '"',
        "\"'`",
        "magi",
        "brainx",
        "magi help",
        "create invite",
        "magi create",
        "magi create invite now",
        "magi friends bob",
        "magi connect",
        "magi connect to",
        "magi connect abc",
        "magi connect ABC-123",
        "magi connect to my friend",
        "magi connect to to abc123",
        "magi ask",
        "magi ask bob",
        "magi ask @ hello",
        'magi ask "" hello',
        "magix ask bob hello",
        "magiask bob hello",
        "please magi ask bob hello",
        "magi tell bob hello",
        "magi block bob",
        "magi mode bob auto",
    ],
)
def test_anything_else_is_help_and_does_nothing(command):
    assert isinstance(parse(command), Help)


def test_help_says_what_was_missing():
    assert "code" in parse("magi connect abc").hint
    assert "what to ask" in parse("magi ask bob").hint
    assert "whom" in parse("magi ask @ hello").hint
    assert parse("magi dance").hint == ""


@pytest.mark.parametrize("line", HELP.splitlines())
def test_every_form_that_help_shows_is_one(line):
    form = line.partition("  ")[0]
    typed = (
        form.replace("<code>", "abc123")
        .replace("<who>", "bob")
        .replace("<question>", "why")
        .replace("<topic>", "Redis")
    )
    assert not isinstance(parse(typed), Help)


@given(st.text())
def test_nothing_that_is_typed_raises(command):
    for typed in (command, f"magi {command}", f"magi ask {command}", f"magi connect {command}", f'"magi {command}"'):
        parse(typed)


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1))
def test_a_question_keeps_its_words(word):
    assert parse(f"brainx ask bob {word} {word}") == Ask("bob", f"{word} {word}")


def test_a_mebibyte_of_quotes_is_read_once():
    assert isinstance(parse('"' * (1 << 20)), Help)
    assert isinstance(parse("« " * (1 << 19)), Help)
