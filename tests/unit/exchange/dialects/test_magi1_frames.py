"""Twin of ``exchange/dialects/magi1_frames.py``."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from exchange.core import commands as c
from exchange.core import events
from exchange.core.features import FEATURES, IDS, OBJECTS, OFFLINE, PERSIST, PRESENCE, RESUME
from exchange.core.model import Envelope, Kind, Link, Record
from exchange.core.session import Session
from exchange.dialects.magi1 import Magi1
from exchange.dialects.magi1_frames import ANSWER, TELL

DIALECT = Magi1()
ENVELOPE = Envelope(Kind.QUESTION, "u1", "k1", 9000, 1000, b'{"a": 1.0}')
ADA = Link("u1", "k1", "ada", "Ada", persist=True, features=frozenset({"presence", "ids"}))
FRIEND = {"username": "ada", "nickname": "Ada"}


def session_of(*features: str) -> Session:
    session = Session("c1", dialect="magi", address="", since_ms=0)
    session.features = frozenset(features)
    return session


def answers(features: tuple[str, ...], command: c.Command[Any], reply: c.Reply) -> list[dict[str, Any]]:
    return [json.loads(message) for message in DIALECT.answer(session_of(*features), command, reply)]


def told(event: events.Event, *features: str) -> dict[str, Any] | None:
    message = DIALECT.tell(session_of(*features), event)
    return None if message is None else dict(json.loads(message))


OF_PAIRS = {c.Attended, c.Passed, c.Ponged, c.Ignored, events.PeerCame, events.PeerWent, events.Relayed}
"""What only the ends of a pair are answered and told: this wire has none."""


def test_every_reply_and_every_event_has_words():
    assert set(get_args(c.Reply)) - OF_PAIRS == {*ANSWER, c.Sent}
    assert set(get_args(events.Event)) - OF_PAIRS == {*TELL, events.Delivered}


# --- replies ---------------------------------------------------------------------------------------------------------


def test_identified_shows_features_only_to_who_asked_and_a_token_only_if_there_is_one():
    exact = {"type": "identified", "username": "ada", "nickname": "A", "clientId": "c1"}
    assert answers((), c.Identify(), c.Identified("ada", "A")) == [exact]
    assert answers((), c.Identify(), c.Identified("ada", "A", frozenset())) == [exact | {"features": []}]
    granted = c.Identified("ada", "A", frozenset({"resume", "ids"}), "secret")
    assert answers((), c.Identify(id="m1"), granted) == [
        exact | {"features": ["ids", "resume"], "token": "secret", "id": "m1"}
    ]


@pytest.mark.parametrize(
    ("life_ms", "text"), [(1_800_000, "30 minutes"), (60_000, "1 minute"), (1_000, "1 minute"), (125_000, "2 minutes")]
)
def test_the_life_of_an_invitation_is_told_in_whole_minutes(life_ms, text):
    reply = c.InviteCreated("ABC123", "Ada", life_ms, 99)
    assert answers((), c.CreateInvite(), reply) == [
        {"type": "invite_created", "code": "ABC123", "from": "Ada", "expiresIn": text}
    ]


def test_an_extended_client_hears_when_its_invitation_ends():
    (frame,) = answers((IDS,), c.CreateInvite("m1"), c.InviteCreated("ABC123", "Ada", 1_800_000, 99))
    assert (frame["expiresAt"], frame["id"]) == (99, "m1")


def test_a_redeem_is_one_frame_and_with_an_inline_identify_two():
    exact = {"type": "connected_to_friend", "connectionId": "k1", "friend": FRIEND}
    assert answers((), c.Redeem(), c.Redeemed(ADA)) == [exact]
    first, second = answers((), c.Redeem(), c.Redeemed(ADA, c.Identified("bob", "Bob")))
    assert (first["type"], second) == ("identified", exact)


@pytest.mark.parametrize(
    ("features", "additions"),
    [
        ((IDS,), {}),
        ((PRESENCE,), {"online": True}),
        ((OBJECTS,), {"features": ["ids", "presence"]}),
        ((OBJECTS, PRESENCE), {"online": True, "features": ["ids", "presence"]}),
    ],
)
def test_a_friend_is_described_as_the_features_say(features, additions):
    (frame,) = answers(features, c.Redeem(), c.Redeemed(ADA))
    assert frame["friend"] == FRIEND | additions
    assert told(events.FriendCame(ADA), *features) == {
        "type": "friend_connected",
        "connectionId": "k1",
        "friend": FRIEND | additions,
    }


def test_friends_are_listed_in_full_whatever_else_was_granted():
    away = replace(ADA, peer="u2", connection="k2", name="bob", nick="Bob", waiting=True, features=frozenset())
    assert answers((PERSIST,), c.ListFriends("m1"), c.FriendList((ADA, away))) == [
        {
            "type": "friends",
            "friends": [
                FRIEND | {"connectionId": "k1", "online": True, "features": ["ids", "presence"]},
                {"username": "bob", "nickname": "Bob", "connectionId": "k2", "online": False, "features": []},
            ],
            "id": "m1",
        }
    ]


@pytest.mark.parametrize(
    ("command", "reply", "type_"),
    [
        (c.Unfriend, c.Unfriended, "unfriended"),
        (c.Block, c.Blocked, "blocked"),
        (c.Unblock, c.Unblocked, "unblocked"),
        (c.Confirm, c.Confirmed, "confirmed"),
    ],
)
def test_what_was_done_to_whom_is_confirmed(command, reply, type_):
    assert answers((PERSIST,), command(), reply("bob")) == [{"type": type_, "username": "bob"}]
    assert answers((PERSIST,), command("m1"), reply("bob")) == [{"type": type_, "username": "bob", "id": "m1"}]


def test_presence_is_confirmed_as_it_is_now():
    exact = {"type": "presence_updated", "status": "", "capabilities": []}
    assert answers((PRESENCE,), c.SetPresence(), c.PresenceUpdated("", ())) == [exact]
    exact = {"type": "presence_updated", "status": "idle", "capabilities": ["a"], "id": "m1"}
    assert answers((PRESENCE,), c.SetPresence("m1"), c.PresenceUpdated("idle", ("a",))) == [exact]


def test_history_says_who_said_what_when():
    mine = Record(5, "5-0", True, Kind.QUESTION, "q1", "", b'{ "a":1e5 }')
    other = Record(6, "6-0", False, Kind.ANSWER, "a1", "q1", b'"yes"')
    (message,) = DIALECT.answer(session_of(*FEATURES), c.ReadHistory("m1"), c.HistoryPage("k1", (mine, other), True))
    assert b'"content":{ "a":1e5 },' in message
    assert json.loads(message) == {
        "type": "history",
        "connectionId": "k1",
        "messages": [
            {"id": "q1", "kind": "question", "mine": True, "content": {"a": 1e5}, "ts": 5, "offset": "5-0"},
            {"id": "a1", "kind": "answer", "mine": False, "content": "yes", "ts": 6, "offset": "6-0", "replyTo": "q1"},
        ],
        "more": True,
        "id": "m1",
    }


# --- events ----------------------------------------------------------------------------------------------------------


def test_a_greeting_names_the_client():
    assert told(events.Greeted("c1")) == {"type": "connected", "clientId": "c1"}


def test_a_friend_who_went_has_both_names_and_nothing_else():
    for features in ((), tuple(FEATURES)):
        assert told(events.FriendWent("ada", "Ada"), *features) == {"type": "friend_disconnected", "friend": FRIEND}


def test_a_plain_client_gets_a_question_without_additive_fields():
    envelope = ENVELOPE._replace(id="m1", trace=("h",), expires_ms=5)
    message = DIALECT.tell(session_of(), events.Delivered(envelope, "ada", "Ada", "7-0"))
    assert message == b'{"type":"question","content":{"a": 1.0},"from":"ada","fromNickname":"Ada"}'


def test_an_extended_client_gets_them_all():
    envelope = ENVELOPE._replace(kind=Kind.ANSWER, id="m1", reply_to="q1", trace=("h",), expires_ms=5)
    assert told(events.Delivered(envelope, "ada", "Ada"), IDS) == {
        "type": "answer",
        "content": {"a": 1},
        "from": "ada",
        "fromNickname": "Ada",
        "id": "m1",
        "ts": 1000,
        "replyTo": "q1",
        "trace": ["h"],
        "expires": 5,
    }


def test_a_question_has_nothing_to_reply_to():
    frame = told(events.Delivered(ENVELOPE._replace(id="m1", reply_to="q1"), "ada", "Ada"), IDS)
    assert frame is not None
    assert "replyTo" not in frame


@pytest.mark.parametrize(
    ("features", "offset", "shown"),
    [((IDS,), "7-0", None), ((IDS, OFFLINE), "7-0", "7-0"), ((IDS, OFFLINE), "", None)],
)
def test_mail_shows_its_offset_to_who_was_granted_offline(features, offset, shown):
    for kind in (Kind.QUESTION, Kind.ANSWER):
        frame = told(events.Delivered(ENVELOPE._replace(kind=kind), "ada", "Ada", offset), *features)
        assert frame is not None
        assert frame.get("offset") == shown


@pytest.mark.parametrize(("kind", "type_"), [(Kind.EXPIRED, "expired"), (Kind.PARKED, "parked")])
def test_the_fate_of_mail_is_told_to_who_was_granted_offline(kind, type_):
    notice = events.Delivered(
        ENVELOPE._replace(kind=kind, id="expired:5-0", reply_to="m1", name="bob", body=b""), "bob", "Bob", "9-0"
    )
    assert told(notice, IDS, OFFLINE) == {"type": type_, "id": "m1", "to": "bob", "offset": "9-0"}
    assert told(notice, IDS) is None


def test_who_has_presence_hears_what_a_friend_says_of_itself():
    busy = replace(ADA, status="working", capabilities=("python",))
    exact = {"type": "friend_presence", "friend": FRIEND | {"online": True}, "online": True}
    assert told(events.FriendChanged(ADA), PRESENCE) == exact
    spoken = exact | {"status": "working", "capabilities": ["python"]}
    assert told(events.FriendChanged(busy), PRESENCE) == spoken


def test_a_friend_who_is_away_says_nothing_of_itself():
    gone = replace(ADA, waiting=True, status="working", capabilities=("python",))
    exact = {"type": "friend_presence", "friend": FRIEND | {"online": False}, "online": False}
    assert told(events.FriendChanged(gone), PRESENCE) == exact


def test_who_has_no_presence_hears_a_persistent_friend_come_and_go_like_any_other():
    came, went = events.FriendChanged(ADA), events.FriendChanged(replace(ADA, waiting=True))
    assert told(came, PERSIST) == {"type": "friend_connected", "connectionId": "k1", "friend": FRIEND}
    assert told(went, PERSIST) == {"type": "friend_disconnected", "friend": FRIEND}


def test_lost_mail_is_told_to_who_was_granted_offline():
    assert told(events.MailLost(5), OFFLINE) == {"type": "gap", "since": 5}
    assert told(events.MailLost(5), IDS) is None


def test_a_draining_node_is_told_to_who_can_resume_elsewhere():
    assert told(events.Draining(5, 9), RESUME) == {"type": "draining", "afterMs": 5, "untilMs": 9}
    assert told(events.Draining(5, 9), IDS) is None
