"""Twin of ``magi/wire/content.py``."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from magi.wire import content
from magi.wire.content import Content, Trace

FULL = Content(
    "ask",
    "Which Redis?",
    thread="t1",
    parent="p1",
    origin="model",
    trace=Trace("x", ("m1", "m2"), 3),
    expires=1_800_000_000_000,
)
ASKED = {"ask": True, "note": True, "answer": False, "decline": False, "state": False}


def test_an_object_is_read_as_it_was_written():
    assert content.decode(content.encode_object(FULL), asked=True) == FULL


@pytest.mark.parametrize("kind", ASKED)
def test_every_kind_comes_through_as_an_object_in_its_own_frame(kind):
    sent = Content(kind, text="text", reason="reason", state="seen")
    assert content.decode(content.encode_object(sent), asked=ASKED[kind]) == sent


@pytest.mark.parametrize("kind", ASKED)
def test_a_kind_of_the_other_frame_is_foreign(kind):
    read = content.decode(content.encode_object(Content(kind, text="text")), asked=not ASKED[kind])
    assert read.kind == content.FOREIGN


def test_an_object_leaves_out_what_says_nothing():
    assert json.loads(content.encode_object(Content("note", "hi"))) == {"magi": 1, "kind": "note", "text": "hi"}


def test_said_is_the_text_the_reason_or_the_state():
    words = {"text": "t", "reason": "r", "state": "s"}
    said = {kind: Content(kind, **words).said for kind in ASKED}
    assert said == {"ask": "t", "note": "t", "answer": "t", "decline": "r", "state": "s"}


def test_plain_friends_get_text():
    assert content.encode_text(FULL) == b'"Which Redis?"'
    assert content.encode_text(Content("decline", reason="busy")) == b'"Declined: busy"'
    assert content.encode_text(Content("decline")) == b'"Declined."'
    with pytest.raises(ValueError, match="objects"):
        content.encode_text(Content("state", state="seen"))


@pytest.mark.parametrize(("asked", "kind"), [(True, "ask"), (False, "answer")])
@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b'"Tea?"', "Tea?"),
        (b"5", "5"),
        (b"null", "null"),
        (b'{ "text": "Tea?" }', '{"text":"Tea?"}'),
        (b"[1, 2]", "[1,2]"),
    ],
)
def test_what_is_no_object_of_ours_is_text(asked, kind, written, text):
    assert content.decode(Raw(written), asked=asked) == Content(kind, text)


@pytest.mark.parametrize(
    "written",
    [
        {"magi": 2, "kind": "ask", "text": "hi"},
        {"magi": "1", "kind": "ask", "text": "hi"},
        {"magi": 1, "kind": "card"},
        {"magi": 1},
        {"magi": 1, "kind": "ask", "text": 5},
        {"magi": 1, "kind": "ask", "text": "hi", "thread": "t" * 1000},
        {"magi": 1, "kind": "ask", "text": "hi", "expires": -1},
    ],
)
def test_objects_that_need_a_newer_client_are_foreign_and_kept_whole(written):
    read = content.decode(msgspec.json.encode(written), asked=True)
    assert read.kind == content.FOREIGN
    assert json.loads(read.text) == written


def test_keys_that_are_not_known_are_ignored():
    written = {"magi": 1, "kind": "ask", "text": "hi", "colour": ["red"], "trace": {"id": "x", "weight": 5}}
    assert content.decode(msgspec.json.encode(written), asked=True) == Content("ask", "hi", trace=Trace("x"))


@pytest.mark.parametrize("encode", [content.encode_object, content.encode_text])
def test_more_than_a_frame_can_hold_is_refused(encode):
    encode(Content("ask", "x" * (content.CONTENT_BYTES - 200)))
    with pytest.raises(content.TooLong):
        encode(Content("ask", "x" * content.CONTENT_BYTES))


@pytest.mark.parametrize(
    "written", [b"[" * 5000 + b"]" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'"\\ud800"', b"\xff"]
)
def test_reading_survives_what_parsers_do_not(written):
    assert content.decode(written, asked=True).kind == "ask"


@given(st.binary(max_size=60), st.booleans())
def test_reading_never_fails(written, asked):
    assert content.decode(written, asked=asked).kind in {*ASKED, content.FOREIGN}


@given(st.text(max_size=60))
def test_any_text_comes_through_both_ways(text):
    sent = Content("ask", text)
    assert content.decode(content.encode_text(sent), asked=True) == sent
    assert content.decode(content.encode_object(sent), asked=True) == sent
