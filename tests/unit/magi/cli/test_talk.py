"""``ask``, ``send``, ``answer``."""

import io
import json
import sys

import pytest
from msgspec.structs import replace

from magi.client.errors import NotConnected
from magi.daemon.port import DeskError
from tests.harness.fake_desk import ASK

QUEUED = replace(ASK, state="queued", said="kept by the exchange for bob")
ANSWERED = replace(ASK, state="answered", said="answered", answer="8.4, cluster mode")


def test_the_answer_alone_goes_to_standard_output(magi, desk):
    desk.states = [QUEUED, ANSWERED]
    status, out, err = magi("ask", "bob", "Which", "Redis?")
    assert (status, out, err) == (0, "8.4, cluster mode\n", "")
    args, kwargs = desk.called("ask")
    assert args == ("bob", "Which Redis?")
    assert kwargs["expires_seconds"] == 86_400


def test_an_ask_that_nobody_waits_for_says_how_to_fetch_its_answer(magi, desk):
    desk.says["ask"] = QUEUED
    status, out, err = magi("ask", "bob", "Which Redis?", "--wait", "0")
    assert (status, out) == (3, "")
    assert "kept by the exchange for bob" in err
    assert "magi inbox --ask k7qzaaaa" in err
    assert "wait" not in desk.names()


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ({"state": "declined", "answer": "I may not say"}, 4, "  | I may not say"),
        ({"state": "expired"}, 5, "did not answer in time"),
        ({"state": "unknown", "said": "may or may not have arrived"}, 6, "before you repeat it"),
        (
            {"state": "failed", "detail": "Bob is not connected"},
            6,
            "takes no messages while away. Nothing was delivered.",
        ),
        ({"state": "failed", "detail": "Message too large"}, 7, '"Message too large"'),
        ({"state": "held_here", "said": "waiting for you: magi review"}, 10, "magi review"),
        ({"state": "withdrawn"}, 1, "withdrew"),
    ],
)
def test_every_end_of_an_ask_has_its_status_and_its_words(magi, desk, state, status, words):
    desk.states = [replace(ASK, **state)]
    ended, out, err = magi("ask", "bob", "Which Redis?", "--wait", "0.01")
    assert (ended, out) == (status, "")
    assert words in err


def test_an_ask_as_json_is_one_object_whatever_its_state(magi, desk):
    desk.says["ask"] = QUEUED
    status, out, _ = magi("ask", "bob", "Which Redis?", "--wait", "0", "--json")
    said = json.loads(out)
    assert status == 3
    assert (said["type"], said["id"], said["state"]) == ("ask", ASK.id, "queued")


def test_a_dash_reads_the_question_from_standard_input(magi, desk, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\nlines\n"))
    desk.states = [ANSWERED]
    magi("ask", "bob", "-")
    assert desk.called("ask")[0] == ("bob", "two\nlines")


def test_an_empty_question_is_not_asked(magi, desk):
    status, _, err = magi("ask", "bob", " ")
    assert status == 2
    assert "nothing to say" in err
    assert desk.names() == []


def test_an_answer_found_by_order_is_marked_as_such(magi, desk):
    desk.states = [replace(ANSWERED, matched="order")]
    _, _, err = magi("ask", "bob", "Which Redis?")
    assert "oldest open question" in err


def test_what_a_friend_answers_moves_no_cursor_and_is_no_markup(magi, desk):
    desk.states = [replace(ANSWERED, answer="\x1b[2Jclear [red]me[/red] \u202e")]
    _, out, _ = magi("ask", "bob", "Which Redis?")
    assert out == "clear [red]me[/red] \n"


def test_a_note_wants_no_answer_and_is_done_with_its_receipt(magi, desk):
    desk.states = [QUEUED]
    status, out, err = magi("send", "-t", "bob", "-m", "The build is green.")
    assert (status, out) == (0, "")
    assert "kept by the exchange for bob" in err
    args, kwargs = desk.called("ask")
    assert args == ("bob", "The build is green.")
    assert kwargs["wants_answer"] is False


def test_a_note_that_the_exchange_did_not_take_yet_is_still_open(magi, desk, monkeypatch):
    monkeypatch.setattr("magi.cli.talk.RECEIPT_SECONDS", 0.0)
    status, _, err = magi("send", "-t", "bob", "-m", "The build is green.")
    assert status == 3
    assert "not sent yet" in err


def test_answers_are_told_by_their_evidence(magi, desk):
    status, out, err = magi("answer", "q1aa", "8.4,", "cluster", "mode")
    assert (status, out) == (0, "")
    assert "handed to bob's connection, not read yet" in err
    assert desk.called("answer")[0] == ("q1aa", "8.4, cluster mode")


def test_an_answer_that_is_held_ends_with_status_10(magi, desk):
    desk.says["answer"] = replace(ASK, state="held_here", said="waiting for you: magi review")
    status, _, err = magi("answer", "q1aa", "8.4")
    assert status == 10
    assert "Nothing was sent." in err


def test_without_a_terminal_words_are_taken_for_an_assistants(magi, desk):
    magi("answer", "q1aa", "8.4")
    caller = desk.called("answer")[1]["caller"]
    assert (caller.face, caller.origin) == ("cli", "model")


@pytest.mark.usefixtures("person")
def test_at_a_terminal_words_are_a_persons(magi, desk):
    magi("answer", "q1aa", "8.4")
    assert desk.called("answer")[1]["caller"].origin == "human"


def test_a_question_can_be_declined_deferred_and_acknowledged(magi, desk):
    assert magi("answer", "q1aa", "--decline", "I may not say")[0] == 0
    assert magi("answer", "q1aa", "--defer", "30")[0] == 0
    assert magi("answer", "q1aa", "--ack")[0] == 0
    assert desk.called("decline")[0] == ("q1aa", "I may not say")
    assert desk.called("defer")[0] == ("q1aa", 1800)
    assert desk.called("ack")[0] == ("q1aa",)


@pytest.mark.parametrize("more", [(), ("8.4", "--ack"), ("--ack", "--decline", "no")])
def test_an_answer_is_one_thing(magi, desk, more):
    status, _, err = magi("answer", "q1aa", *more)
    assert status == 2
    assert "Give one of" in err
    assert desk.names() == []


def test_an_error_before_the_outbox_says_that_nothing_was_sent(magi, desk):
    desk.says["ask"] = NotConnected()
    status, _, err = magi("ask", "bob", "Which Redis?")
    assert status == 8
    assert "Nothing was sent." in err
    desk.says["ask"] = DeskError("You have asked bob this already. Nothing was sent.", 7)
    status, _, err = magi("ask", "bob", "Which Redis?")
    assert status == 7
    assert err.count("Nothing was sent.") == 1
