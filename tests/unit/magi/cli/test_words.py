"""What a person reads."""

import time

import pytest

from magi.cli import words
from magi.cli.output import Output
from magi.client.model import Kind
from magi.daemon.port import Waiting
from tests.harness.fake_desk import QUESTION


def test_what_waits_is_one_line():
    assert words.waiting_line(Waiting()) == ""
    assert words.waiting_line(Waiting(("bob", "carol", "bob"), 1, 2, 3)) == (
        "3 questions (bob, carol), 1 answer, 3 notices, 2 held for you: magi review"
    )


def test_a_moment_of_today_is_its_hour():
    now_ms = int(time.mktime((2026, 11, 20, 12, 0, 0, 0, 0, -1))) * 1000
    assert words.moment(now_ms - 60_000, now_ms=lambda: now_ms) == "11:59"
    assert words.moment(now_ms - 86_400_000, now_ms=lambda: now_ms) == "2026-11-19 12:00"
    assert words.moment(0) == "-"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_item_is_told(capsys, kind):
    item = type(QUESTION)(**{**{name: getattr(QUESTION, name) for name in QUESTION.__struct_fields__}, "kind": kind})
    words.tell_item(Output(as_json=False), item)
    assert capsys.readouterr().out.startswith("q1aaaaaa  bob ")
