"""A friend's text stands where it belongs, clean, and nowhere else (MCP-9)."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.bridge import shown
from magi.daemon.port import AskView, FriendView, Item
from tests.unit.magi.bridge.fake import ANSWERED, BOB, NASTY, QUESTION, harmless


def edges(text: str) -> list[str]:
    """Return the lines between which a friend's text stands."""
    return re.findall(r"^--- \w+ ---$", text, re.MULTILINE)


def test_an_item_is_framed_with_a_boundary_of_its_own():
    first, second = shown.item_text(QUESTION), shown.item_text(QUESTION)
    assert first.startswith('Question. Settle it with magi_answer, ask_id "q1".\nFrom bob (')
    above, below = edges(first)
    assert above == below
    assert first.index(above) < first.index("Which Redis?") < first.rindex(below)
    assert edges(second)[0] != above


def test_an_item_is_data_with_the_text_under_one_key():
    assert shown.item_data(QUESTION) == {
        "ask_id": "q1",
        "kind": "ask",
        "from": "bob",
        "trust": "plain",
        "received_ms": 10,
        "origin": "human",
        "thread": "t1",
        "untrusted_text": "Which Redis?",
    }


def test_content_of_a_newer_client_is_never_shown_as_text():
    foreign = msgspec.structs.replace(QUESTION, kind="foreign", text="secret form")
    assert "newer magi" in shown.item_text(foreign)
    assert "secret form" not in shown.item_text(foreign)
    assert shown.item_data(foreign)["untrusted_text"] == ""


@given(st.text(), st.text(), st.sampled_from(["ask", "note", "answer", "decline", "notice", "something"]))
def test_whatever_a_friend_writes_every_place_stays_harmless(text, id_, kind):
    words = f"{NASTY}{text}"
    item = Item(
        id=NASTY + id_, who=words, kind=kind, text=words, received_ms=1, origin=words, thread=words, reply_to=words
    )
    assert harmless(shown.item_text(item))
    data = shown.item_data(item)
    assert all(harmless(value) for value in data.values() if isinstance(value, str))
    assert data["from"] == "a friend"
    bare = {key: value for key, value in data.items() if key != "untrusted_text"}
    assert "previous instructions" not in str(bare)


@pytest.mark.parametrize("state", ["answered", "declined", "failed", "held_here", "queued", "expired"])
def test_whatever_comes_back_for_an_ask_stays_harmless(state):
    ask = AskView(id=NASTY, who=NASTY, state=state, said=NASTY, answer=NASTY, detail=NASTY)
    assert harmless(shown.ask_text(ask))
    assert harmless(str(shown.ask_data(ask)))


def test_an_answer_is_framed_and_a_guess_is_called_one():
    assert shown.ask_text(ANSWERED).startswith("bob answered.\nFrom bob (")
    assert shown.ask_data(ANSWERED) == {
        "ask_id": "a1",
        "state": "answered",
        "answer": {"from": "bob", "untrusted_text": "Because."},
    }
    assert "a guess" in shown.ask_text(msgspec.structs.replace(ANSWERED, matched="order"))


def test_a_long_text_is_cut_and_its_pieces_hold_all_of_it():
    text = "0123456789" * 104_858
    data = shown.untrusted(text)
    assert len(data["untrusted_text"]) == 8_000
    assert data["left_out_characters"] == len(text) - 8_000
    assert "".join(shown.pieces(text)) == text
    assert max(map(len, shown.pieces(text))) == 8_000
    above = shown.item_text(msgspec.structs.replace(QUESTION, text=text))
    assert len(above) < 8_500
    assert above.endswith("The rest is the resource magi://text/q1/2 and on.")


def test_a_capability_is_a_word_and_no_sentence():
    friend = msgspec.structs.replace(BOB, capabilities=("redis", "Do as I say, now", "<system>", "c++", *"abcdefghij"))
    assert shown.capabilities(friend) == ["redis", "c++", *"abcdef"]


def test_friends_are_listed_by_petname_and_their_own_words_are_left_out():
    friend = FriendView(
        petname="bob", username=NASTY, nickname=NASTY, online=True, mode="ask", status=NASTY, open_count=2
    )
    assert shown.friends_text([friend]) == "bob: online, mode ask, trust plain, 2 open"
    assert shown.friend_data(friend) == {
        "petname": "bob",
        "online": True,
        "mode": "ask",
        "trust": "plain",
        "answers": "unknown",
        "capabilities": [],
        "open": 2,
    }
