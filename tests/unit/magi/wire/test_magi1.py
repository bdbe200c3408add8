"""Twin of ``magi/wire/magi1.py``, ``magi1_requests.py`` and ``magi1_frames.py``."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from magi.wire import magi1
from magi.wire import magi1_frames as frames
from magi.wire import magi1_requests as requests

REQUESTS = {
    "identify": requests.Identify,
    "create_invite": requests.CreateInvite,
    "connect": requests.Connect,
    "ask": requests.Ask,
    "answer": requests.Answer,
    "ack": requests.Ack,
    "friends": requests.Friends,
    "unfriend": requests.Unfriend,
    "block": requests.Block,
    "unblock": requests.Unblock,
    "presence": requests.Presence,
    "history": requests.History,
    "confirm": requests.Confirm,
}
FRIEND = frames.Friend("ada", "Ada")
CONTENT = Raw(b'"hi"')
PLAIN = [
    (frames.Connected("c1"), {"type": "connected", "clientId": "c1"}),
    (
        frames.Identified("ada", "Ada", "c1"),
        {"type": "identified", "username": "ada", "nickname": "Ada", "clientId": "c1"},
    ),
    (
        frames.InviteCreated("ABC123", "Ada", "30 minutes"),
        {"type": "invite_created", "code": "ABC123", "from": "Ada", "expiresIn": "30 minutes"},
    ),
    (
        frames.ConnectedToFriend("k", FRIEND),
        {"type": "connected_to_friend", "connectionId": "k", "friend": {"username": "ada", "nickname": "Ada"}},
    ),
    (
        frames.FriendConnected("k", FRIEND),
        {"type": "friend_connected", "connectionId": "k", "friend": {"username": "ada", "nickname": "Ada"}},
    ),
    (
        frames.FriendDisconnected(FRIEND),
        {"type": "friend_disconnected", "friend": {"username": "ada", "nickname": "Ada"}},
    ),
    (
        frames.Question(CONTENT, "ada", "Ada"),
        {"type": "question", "content": "hi", "from": "ada", "fromNickname": "Ada"},
    ),
    (frames.Answered(CONTENT, "ada", "Ada"), {"type": "answer", "content": "hi", "from": "ada", "fromNickname": "Ada"}),
    (frames.QuestionSent(CONTENT, "Bob"), {"type": "question_sent", "content": "hi", "to": "Bob"}),
    (frames.AnswerSent(CONTENT, "Bob"), {"type": "answer_sent", "content": "hi", "to": "Bob"}),
    (frames.Error("no"), {"type": "error", "message": "no"}),
]
EXTENDED = [
    (
        frames.FriendsListed([frames.Friendship("ada", "Ada", "k", True, ["ids"])]),
        {
            "type": "friends",
            "friends": [
                {"username": "ada", "nickname": "Ada", "connectionId": "k", "online": True, "features": ["ids"]}
            ],
        },
    ),
    (frames.Unfriended("ada"), {"type": "unfriended", "username": "ada"}),
    (frames.Blocked("ada"), {"type": "blocked", "username": "ada"}),
    (frames.Unblocked("ada"), {"type": "unblocked", "username": "ada"}),
    (frames.PresenceUpdated("", ()), {"type": "presence_updated", "status": "", "capabilities": []}),
    (
        frames.HistoryRead("k", [frames.HistoryMessage("m", "question", True, CONTENT, 5, "7-0")], False),
        {
            "type": "history",
            "connectionId": "k",
            "messages": [{"id": "m", "kind": "question", "mine": True, "content": "hi", "ts": 5, "offset": "7-0"}],
            "more": False,
        },
    ),
    (frames.Confirmed("ada"), {"type": "confirmed", "username": "ada"}),
    (
        frames.FriendPresence(FRIEND, False),
        {"type": "friend_presence", "friend": {"username": "ada", "nickname": "Ada"}, "online": False},
    ),
    (frames.Expired("m", "ada", "7-0"), {"type": "expired", "id": "m", "to": "ada", "offset": "7-0"}),
    (frames.Parked("m", "ada", "7-0"), {"type": "parked", "id": "m", "to": "ada", "offset": "7-0"}),
    (frames.Gap(5), {"type": "gap", "since": 5}),
    (frames.Draining(0, 25_000), {"type": "draining", "afterMs": 0, "untilMs": 25_000}),
]
FRAMES = pytest.mark.parametrize(
    ("frame", "value"), [*PLAIN, *EXTENDED], ids=[value["type"] for _, value in [*PLAIN, *EXTENDED]]
)


@pytest.mark.parametrize("type_", REQUESTS)
def test_every_request_is_decoded_by_its_type(type_):
    assert type(magi1.decode(json.dumps({"type": type_}).encode())) is REQUESTS[type_]


def test_the_type_may_stand_anywhere_and_unknown_keys_are_ignored():
    frame = magi1.decode(b'{"from":"x","content":1,"ts":5,"type":"ask","to":null}')
    assert isinstance(frame, requests.Ask)
    assert (bytes(frame.content), frame.to) == (b"1", None)


@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": 1}])
def test_fields_of_any_type_reach_the_rule_that_refuses_them(value):
    frame = magi1.decode(json.dumps({"type": "identify", "username": value}).encode())
    assert isinstance(frame, requests.Identify)
    assert frame.username == value


@pytest.mark.parametrize(
    "content",
    [
        "1.0",
        "1e5",
        "-0",
        "12345678901234567890123456789",
        '"\\u00e9\\/"',
        '{ "b" : [ 1 , {} ] ,"a":1,"a":2}',
        "true",
        '""',
    ],
)
def test_content_is_the_bytes_that_came_in(content):
    frame = magi1.decode(b'{"type":"ask","content":' + content.encode() + b"}")
    assert isinstance(frame, requests.Ask)
    assert bytes(frame.content) == content.encode()
    sent = magi1.encode(frames.QuestionSent(frame.content, "Bob"))
    assert b'"content":' + content.encode() + b"," in sent


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_any_value_survives_as_content(value):
    text = json.dumps(value).encode()
    frame = magi1.decode(b'{"type":"answer","content":' + text + b"}")
    assert isinstance(frame, requests.Answer)
    assert bytes(frame.content) == text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"type":"ask"',
        b'{"type":"ask"}x',
        b"\xff",
        b'{"type":"ask","content":"\xff"}',
        b"NaN",
        b"'x'",
    ],
)
def test_text_that_is_not_json_is_malformed_and_did_not_parse(data):
    with pytest.raises(magi1.Malformed) as caught:
        magi1.decode(data)
    assert not caught.value.parsed


def test_null_is_malformed_but_did_parse():
    with pytest.raises(magi1.Malformed) as caught:
        magi1.decode(b" null ")
    assert caught.value.parsed


def test_deep_nesting_is_malformed():
    with pytest.raises(magi1.Malformed):
        magi1.decode(b'{"type":"ask","content":' + b"[" * 5000 + b"]" * 5000 + b"}")


@pytest.mark.parametrize(
    ("data", "type_"),
    [
        (b"1", "undefined"),
        (b'"ask"', "undefined"),
        (b"true", "undefined"),
        (b"[]", "undefined"),
        (b'[{"type":"ask"}]', "undefined"),
        (b"{}", "undefined"),
        (b'{"Type":"ask"}', "undefined"),
        (b'{"type":"Ask"}', "Ask"),
        (b'{"type":""}', ""),
        (b'{"type":null}', "null"),
        (b'{"type":7}', "7"),
        (b'{"type":["ask"]}', '["ask"]'),
        (b'{"type":{"a":1}}', '{"a":1}'),
        (b'{"type":"question_sent"}', "question_sent"),
        (b'{"type":"' + b"x" * 300 + b'"}', "x" * 200),
        (b'{"type":[' + b"1," * 300 + b"1]}", ("[" + "1," * 300)[:200]),
    ],
)
def test_what_is_no_request_is_named_as_the_error_repeats_it(data, type_):
    with pytest.raises(magi1.UnknownType) as caught:
        magi1.decode(data)
    assert caught.value.type == type_


@FRAMES
def test_a_frame_has_exactly_the_keys_of_the_wire(frame, value):
    assert json.loads(magi1.encode(frame)) == value


@FRAMES
def test_a_client_reads_the_frame_that_was_sent(frame, value):
    read = magi1.decode_frame(magi1.encode(frame))
    assert type(read) is type(frame)
    assert json.loads(magi1.encode(read)) == value


def test_every_frame_and_every_request_is_in_a_table_here():
    assert {type(frame) for frame, _ in [*PLAIN, *EXTENDED]} == set(get_args(frames.Frame))
    assert set(REQUESTS.values()) == set(get_args(requests.Request))
    assert set(REQUESTS) == requests.TYPES


def test_the_first_key_is_the_type():
    for frame, value in [*PLAIN, *EXTENDED]:
        assert magi1.encode(frame).startswith(f'{{"type":"{value["type"]}"'.encode())


def test_no_new_frame_is_called_error():
    assert [value["type"] for _, value in [*PLAIN, *EXTENDED]].count("error") == 1


def test_a_field_that_is_a_word_of_the_language_is_read_by_its_name_on_the_wire():
    frame = magi1.decode(b'{"type":"create_invite","for":"bob","length":8,"confirm":true}')
    assert isinstance(frame, requests.CreateInvite)
    assert (frame.for_, frame.length, frame.confirm) == ("bob", 8, True)


def test_additive_fields_appear_only_when_they_are_set():
    frame = frames.Question(CONTENT, "ada", "Ada", id="q1", ts=5, trace=("h",), expires=9)
    assert json.loads(magi1.encode(frame)) == {
        **json.loads(magi1.encode(frames.Question(CONTENT, "ada", "Ada"))),
        "id": "q1",
        "ts": 5,
        "trace": ["h"],
        "expires": 9,
    }
    assert frames.Error("no").retryAfterMs is UNSET


@pytest.mark.parametrize("data", [b"{}", b'{"type":"presence"}', b"[]", b"x", b'{"type":"connected"}'])
def test_a_client_is_told_when_a_message_is_no_frame_it_knows(data):
    with pytest.raises(msgspec.DecodeError):
        magi1.decode_frame(data)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data):
    try:
        magi1.decode(data)
    except (magi1.Malformed, magi1.UnknownType):
        return
