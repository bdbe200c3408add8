"""Twin of ``exchange/dialects/magi1.py``: what plain clients never see, receipts, refusals, closes."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core import commands as c
from exchange.core import errors as e
from exchange.core import events
from exchange.core.features import FEATURES, IDS, OFFLINE
from exchange.core.model import Envelope, Kind, Link
from exchange.core.session import NEEDED, Session
from exchange.dialects.errors import REQUESTS
from exchange.dialects.magi1 import Magi1
from exchange.front import Ending

DIALECT = Magi1()
KEYS = {
    "connected": {"clientId"},
    "identified": {"username", "nickname", "clientId"},
    "invite_created": {"code", "from", "expiresIn"},
    "connected_to_friend": {"connectionId", "friend"},
    "friend_connected": {"connectionId", "friend"},
    "question": {"content", "from", "fromNickname"},
    "answer": {"content", "from", "fromNickname"},
    "question_sent": {"content", "to"},
    "answer_sent": {"content", "to"},
    "friend_disconnected": {"friend"},
    "error": {"message"},
}
"""Section 4 of the wire, word for word."""


def session_of(*features: str) -> Session:
    session = Session("c1", dialect="magi", address="", since_ms=0)
    session.features = frozenset(features)
    return session


@pytest.fixture
def plain() -> Session:
    return session_of()


@pytest.fixture
def extended() -> Session:
    return session_of(IDS)


def answers(session: Session, command: c.Command[Any], reply: c.Reply) -> list[dict[str, Any]]:
    return [json.loads(message) for message in DIALECT.answer(session, command, reply)]


# --- plain clients ---------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NUMBERS = st.integers(0, 2**53)
WORDS = st.lists(TEXT, max_size=3).map(tuple)
LINKS = st.builds(
    Link,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    made=NUMBERS,
    waiting=st.booleans(),
    persist=st.booleans(),
    features=st.frozensets(st.sampled_from(sorted(FEATURES))),
    status=st.just("") | TEXT,
    capabilities=WORDS,
)
ENVELOPES = st.builds(
    Envelope,
    st.sampled_from([int(kind) for kind in Kind]),
    TEXT,
    TEXT,
    NUMBERS,
    NUMBERS,
    st.just(b'"text"'),
    TEXT,
    st.just("") | TEXT,
    WORDS,
    NUMBERS,
    TEXT,
    TEXT,
)
EVENTS: dict[type[Any], st.SearchStrategy[events.Event]] = {
    events.Greeted: st.builds(events.Greeted, TEXT),
    events.FriendCame: st.builds(events.FriendCame, LINKS),
    events.FriendWent: st.builds(events.FriendWent, TEXT, TEXT),
    events.FriendChanged: st.builds(events.FriendChanged, LINKS),
    events.Delivered: st.builds(events.Delivered, ENVELOPES, TEXT, TEXT, st.sampled_from(["", "17-0"])),
    events.MailLost: st.builds(events.MailLost, NUMBERS),
    events.Draining: st.builds(events.Draining, NUMBERS, NUMBERS),
}
IDENTIFIED = st.builds(c.Identified, TEXT, TEXT)
REPLIES: st.SearchStrategy[tuple[c.Command[Any], c.Reply]] = st.one_of(
    st.tuples(st.just(c.Identify()), IDENTIFIED),
    st.tuples(st.just(c.CreateInvite()), st.builds(c.InviteCreated, TEXT, TEXT, NUMBERS, NUMBERS)),
    st.tuples(st.just(c.Redeem()), st.builds(c.Redeemed, LINKS, st.none() | IDENTIFIED)),
    st.tuples(
        st.builds(c.Send, body=st.just(b"1")),
        st.builds(c.Sent, st.sampled_from([1, 2]), TEXT, st.sampled_from(["", c.DELIVERED, c.QUEUED])),
    ),
)
COMMANDS = [c.Identify(), c.CreateInvite(), c.Redeem(), c.Send(), *(kind() for kind in NEEDED)]
ERRORS: list[e.ExchangeError] = [
    e.Malformed(),
    e.NotGranted("offline"),
    e.Unusable("length"),
    e.TokenInvalid(),
    e.NameTaken(),
    e.IdReused(),
    e.AskLimit(1500),
    e.MailboxFull("Bob"),
    e.Unconfirmed("Bob"),
    e.NotDurable(),
    e.StorageUnavailable(),
]


def assert_plain(frame: dict[str, Any]) -> None:
    assert set(frame) - {"type"} == KEYS[frame["type"]]
    if "friend" in frame:
        assert set(frame["friend"]) == {"username", "nickname"}


@given(REPLIES)
def test_a_plain_client_gets_replies_with_exactly_the_keys_of_section_4(exchanged):
    for frame in answers(session_of(), *exchanged):
        assert_plain(frame)


@given(st.one_of(*EVENTS.values()))
def test_a_plain_client_is_told_of_events_with_exactly_the_keys_of_section_4_or_nothing(event):
    message = DIALECT.tell(session_of(), event)
    if message is not None:
        assert_plain(json.loads(message))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("command", [None, *COMMANDS], ids=lambda command: type(command).__name__)
def test_a_plain_client_is_refused_with_a_text_and_nothing_else(plain, error, command):
    assert_plain(json.loads(DIALECT.refuse(plain, command, error)))


# --- requests that need a feature ------------------------------------------------------------------------------------


def refused(session: Session, **message: Any) -> dict[str, Any]:
    """Return the refusal of a request that its dialect or its session refuses."""
    command = None
    try:
        command = DIALECT.ask(json.dumps(message).encode())
        session.check(type(command))
    except e.ExchangeError as error:
        return dict(json.loads(DIALECT.refuse(session, command, error)))
    raise AssertionError(f"{message} was not refused")


@pytest.mark.parametrize("type_", REQUESTS.values())
@pytest.mark.parametrize("features", [(), (IDS,)])
@pytest.mark.parametrize(
    "fields", [{}, {"username": 5, "upTo": [], "status": "?", "limit": -1}, {"id": "m1"}, {"id": 5}]
)
def test_without_its_feature_a_request_is_refused_like_one_of_an_unknown_type(type_, features, fields):
    session = session_of(*features)
    answer, unknown = refused(session, type=type_, **fields), refused(session, type="ping", **fields)
    assert answer.pop("message") == f"Unknown message type: {type_}"
    assert unknown.pop("message") == "Unknown message type: ping"
    assert answer == unknown


def test_with_its_feature_a_request_is_refused_with_what_is_wrong():
    session = session_of(IDS, OFFLINE)
    exact = {"type": "error", "message": "Invalid value for upTo", "code": "unusable", "id": "m1"}
    assert refused(session, type="ack", upTo="?", id="m1") == exact
    malformed = {"type": "error", "message": "Invalid message format", "code": "malformed"}
    assert refused(session, type="ack", upTo="1-0", id=5) == malformed


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"{", e.Unparsed),
        (b"\xff", e.Unparsed),
        (b"[" * 99, e.Unparsed),
        (b"null", e.Malformed),
        (b"5", e.UnknownRequest),
    ],
)
def test_what_is_no_request_is_refused_by_what_is_wrong_with_it(message, error):
    with pytest.raises(error) as caught:
        DIALECT.ask(message)
    assert type(caught.value) is error


# --- receipts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "type_"), [(Kind.QUESTION, "question_sent"), (Kind.ANSWER, "answer_sent")])
def test_a_receipt_echoes_content_byte_for_byte(plain, kind, type_):
    (message,) = DIALECT.answer(plain, c.Send("", kind, "", b'{ "a": 1e5 }'), c.Sent(kind, "Bob"))
    assert message == b'{"type":"' + type_.encode() + b'","content":{ "a": 1e5 },"to":"Bob"}'


@pytest.mark.parametrize("status", [c.DELIVERED, c.QUEUED])
def test_only_who_was_granted_offline_hears_how_a_message_travels(extended, status):
    command, reply = c.Send("m1", Kind.ANSWER, "", b"1"), c.Sent(Kind.ANSWER, "Bob", status)
    exact = {"type": "answer_sent", "content": 1, "to": "Bob", "id": "m1"}
    assert answers(extended, command, reply) == [exact]
    assert answers(session_of(IDS, OFFLINE), command, reply) == [exact | {"status": status}]


def test_a_live_receipt_has_no_status():
    (frame,) = answers(session_of(IDS, OFFLINE), c.Send(body=b"1"), c.Sent(Kind.QUESTION, "Bob"))
    assert "status" not in frame


def test_an_ack_is_answered_with_no_frame_at_all():
    assert answers(session_of(*FEATURES), c.Ack("m1", "1-0"), c.Acked()) == []


# --- refusals --------------------------------------------------------------------------------------------------------


def test_an_extended_client_is_refused_with_name_wait_and_id(extended):
    assert json.loads(DIALECT.refuse(extended, c.Send("m1"), e.AskLimit(1500))) == {
        "type": "error",
        "message": "Rate limit exceeded. Try again in 2 seconds.",
        "code": "rate_limited",
        "retryAfterMs": 1500,
        "id": "m1",
    }


def test_an_extended_client_is_told_no_wait_where_there_is_none(extended):
    assert "retryAfterMs" not in json.loads(DIALECT.refuse(extended, c.Send(), e.NoFriends()))


def test_who_gives_ids_without_features_gets_them_back_on_refusals_and_nothing_else(plain):
    frame = json.loads(DIALECT.refuse(plain, c.Send("m1"), e.NoFriends()))
    assert frame == {"type": "error", "message": "No active connection. Please connect first.", "id": "m1"}


def test_a_request_that_was_not_understood_is_refused_too(plain):
    assert json.loads(DIALECT.refuse(plain, None, e.UnknownRequest("ping"))) == {
        "type": "error",
        "message": "Unknown message type: ping",
    }


# --- events and closes -----------------------------------------------------------------------------------------------


def test_it_tells_every_event_but_those_of_pairs():
    of_pairs = {events.PeerCame, events.PeerWent, events.Relayed}
    assert set(DIALECT.tells) == set(EVENTS) == set(get_args(events.Event)) - of_pairs


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_refusal_ends_a_connection(plain, error):
    assert DIALECT.parts(plain, error) is None


@given(st.one_of(*EVENTS.values()))
def test_who_has_every_feature_is_told_everything(event):
    message = DIALECT.tell(session_of(*FEATURES), event)
    assert message is not None
    assert json.loads(message)["type"] != "error"


def test_who_was_replaced_is_closed_in_order_with_a_reason():
    assert DIALECT.closes[Ending.REPLACED] == (1000, "Session continues elsewhere")
