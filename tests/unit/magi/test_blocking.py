"""Twin of ``magi/blocking.py``."""

import threading

import pytest
from msgspec import Raw

from magi.blocking import Client
from magi.client.errors import NameTaken, StillOpen
from magi.client.line import FEATURES
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from tests.harness.lines import FakeExchange
from tests.harness.waiting import WAIT_SECONDS, soon


@pytest.fixture
def exchange():
    exchange = FakeExchange()
    exchange.befriend("bob", *FEATURES)
    return exchange


@pytest.fixture
def client(exchange):
    with Client("ws://a/", "alice", open_line=exchange.open) as client:
        yield client


def push(client, exchange, frame):
    client._loop.call_soon_threadsafe(exchange.line.push, frame)


def test_a_question_is_answered_without_a_loop(exchange, client):
    push(client, exchange, f.Question(Raw(b'"Tea?"'), "bob", "Bob", id="q1", offset="1-0"))
    question = client.question(wait_seconds=WAIT_SECONDS)
    assert question.text == "Tea?"
    assert client.answer(question, "Yes.").how == "answered"
    soon(lambda: [sent.replyTo for sent in exchange.sent(r.Answer) if b"Yes." in bytes(sent.content)] == ["q1"])


def test_an_ask_waits_for_its_answer_or_says_that_it_is_open(exchange, client):
    with pytest.raises(StillOpen):
        client.ask("bob", "Tea?", wait_seconds=0.01)
    soon(exchange.sent)
    (sent,) = exchange.sent()
    answer = f.Answered(Raw(b'"Yes."'), "bob", "Bob", id="b1", offset="1-0", replyTo=sent.id)
    push(client, exchange, answer)
    assert client.ask("bob", "Tea?", id=sent.id, wait_seconds=WAIT_SECONDS).text == "Yes."


def test_no_question_in_time_is_a_time_out(client):
    with pytest.raises(TimeoutError):
        client.question(wait_seconds=0.01)


def test_friends_invitations_and_notes_are_there_too(exchange, client):
    assert client.invite(for_name="ada").code == "ABC123"
    assert client.connect("abc123").username == "ada"
    assert [friend.username for friend in client.friends()] == ["bob", "ada"]
    assert client.note("bob", "Hello").to == "bob"


def test_nothing_is_left_running(exchange):
    before = threading.active_count()
    with Client("ws://a/", "alice", open_line=exchange.open):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    exchange.refusals.append(NameTaken())
    with pytest.raises(NameTaken), Client("ws://a/", "alice", open_line=exchange.open):
        raise AssertionError
    assert threading.active_count() == before
