"""Twin of ``exchange/dialects/coralmux.py``: what is passed on, answered, refused, told and dropped."""

import json
from itertools import count
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core import commands as c
from exchange.core import errors as e
from exchange.core import events
from exchange.core.pairs import Role, Usage
from exchange.core.session import Session, State
from exchange.dialects.coralmux import CoralMux
from exchange.front import Ending
from magi.wire import coralmux
from magi.wire.limits import RELAY_ECHO_CHARACTERS

NOW_MS = 1_763_700_000_000
FROM_BOTH = (
    *("chat.send", "chat.error", "chat.tool_status", "chat.history", "chat.history.result", "key_exchange"),
    *("agent.list", "agent.list.result", "agent.create", "agent.update", "agent.delete", "agent.result"),
    *("memory.search", "memory.search.result", "group.list", "group.messages.result", "group.send", "group.any.thing"),
    *("system.status", "system.status.result", "file.offer", "file."),
)
FROM_AGENTS = ("chat.stream", "chat.done")
DROPPED = (
    *(
        "pong",
        "auth.ok",
        "auth.fail",
        "status",
        "",
        "chat",
        "chat.",
        "chat.sent",
        "Chat.send",
        "chat.send ",
        "group",
        "groups.x",
    ),
    *("system", "file", "agent.", "memory.add", "ping.x", "PING", "AUTH", "auth.", "\0", "è"),
)


def made() -> CoralMux:
    numbers = count(1)
    return CoralMux(lambda: f"id {next(numbers)}", lambda: NOW_MS)


DIALECT = made()


def session_of(state: State = State.IDENTIFIED) -> Session:
    session = Session("c1", dialect="coralmux", address="", since_ms=0)
    session.state = state
    return session


FIRST = session_of(State.ANONYMOUS)
MEMBER = session_of()


def written(type_: str, **more: Any) -> bytes:
    return json.dumps({"v": 1, "type": type_, "id": "x", "ts": 5, **more}).encode()


def said(message: bytes | None) -> tuple[str, dict[str, Any]]:
    """Return type and payload of a frame of the relay."""
    assert message is not None
    frame = json.loads(message)
    return frame["type"], frame["payload"]


# --- what comes in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", FROM_BOTH)
def test_what_both_may_send_is_passed_on(type_):
    # Section 4, CORAL-17
    message = written(type_, payload={"any": "thing"})
    assert DIALECT.ask(message) == c.PassOn(frame=message)


@pytest.mark.parametrize("type_", FROM_AGENTS)
def test_what_streams_is_passed_on_for_agents_only(type_):
    # Section 4
    message = written(type_)
    assert DIALECT.ask(message) == c.PassOn(frame=message, only=Role.AGENT)


def test_every_type_of_the_wire_is_tried_here():
    # CORAL-18
    exact = {type_ for type_ in FROM_BOTH if not type_.startswith(coralmux.FROM_BOTH_PREFIXES)}
    assert exact == coralmux.FROM_BOTH
    assert set(FROM_AGENTS) == coralmux.FROM_AGENTS
    assert {type_.partition(".")[0] + "." for type_ in set(FROM_BOTH) - exact} == set(coralmux.FROM_BOTH_PREFIXES)


@pytest.mark.parametrize("type_", DROPPED)
def test_what_is_not_known_or_only_the_relay_may_say_is_dropped(type_):
    # Section 4: a client cannot speak for the relay.
    assert DIALECT.ask(written(type_, payload={"peer": "offline"})) == c.Ignore()


@pytest.mark.parametrize("message", [b"{}", b'{"type":null}', b'{"payload":{}}', b'{"Type":"chat.send"}'])
def test_a_frame_without_a_type_is_dropped(message):
    # CORAL-3: it is an envelope all the same.
    assert DIALECT.ask(message) == c.Ignore()


@pytest.mark.parametrize(
    "message", [b'{"type":"ping"}', b'{"type":"ping","payload":null}', b'{"type":"p\\u0069ng","payload":[1]}']
)
def test_a_ping_is_one_whatever_it_carries(message):
    assert DIALECT.ask(message) == c.Ping()


@pytest.mark.parametrize(
    ("payload", "token", "role"),
    [
        ({"token": "oc_pair_1", "role": "phone"}, "oc_pair_1", "phone"),
        ({"token": "t", "role": "relay", "more": 1}, "t", "relay"),
        ({"token": "t"}, "t", ""),
        ({"role": "agent"}, "", "agent"),
        ({"token": None, "role": None}, "", ""),
        ({}, "", ""),
    ],
)
def test_an_auth_is_an_attempt_with_what_it_names(payload, token, role):
    # CORAL-6
    assert DIALECT.ask(written("auth", payload=payload)) == c.Attend(token=token, role=role)


@pytest.mark.parametrize(
    "payload", [None, 5, True, "token", [], ["t", "phone"], {"token": 5}, {"token": "t", "role": 5}, {"token": {}}]
)
def test_an_auth_with_an_ill_typed_payload_is_an_attempt_with_nothing_that_could_be_a_token(payload):
    # CORAL-6: that is refused with a text of its own.
    assert DIALECT.ask(written("auth", payload=payload)) == c.Attend(token=None)
    assert DIALECT.ask(b'{"type":"auth"}') == c.Attend(token=None)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"[]",
        b"5",
        b'{"type":5}',
        b'{"ts":1.5}',
        b'{"type":"a","type":"a"}',
        b"[" * 99,
        b'{"payload":NaN}',
    ],
)
def test_what_is_no_envelope_is_unparsed(message):
    with pytest.raises(e.Malformed) as caught:
        DIALECT.ask(message)
    assert type(caught.value) is e.Unparsed


@given(st.binary(max_size=40) | st.text('{}[]":,ptye1.', max_size=30).map(str.encode))
def test_any_bytes_are_a_command_or_unparsed(message):
    try:
        command = DIALECT.ask(message)
    except e.Unparsed:
        return
    assert isinstance(command, c.Command)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*FROM_BOTH, *FROM_AGENTS]), JSON, st.booleans(), st.sampled_from([None, 0, 3]))
def test_a_frame_reaches_the_peer_as_the_very_bytes_that_came(type_, payload, ascii_only, indent):
    # CORAL-4
    message = json.dumps({"payload": payload, "é": 1, "type": type_}, ensure_ascii=ascii_only, indent=indent).encode()
    command = DIALECT.ask(message)
    assert isinstance(command, c.PassOn)
    assert command.frame is message
    event = events.Relayed(command.frame)
    assert DIALECT.tell(MEMBER, event) is message


# --- what goes out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paired", [True, False])
def test_auth_ok_has_exactly_its_fields(paired):
    # CORAL-3, CORAL-9
    (message,) = made().answer(MEMBER, c.Attend(), c.Attended(paired, Usage(10, 0, 20, 3)))
    assert json.loads(message) == {
        "v": 1,
        "type": "auth.ok",
        "id": "id 1",
        "ts": NOW_MS,
        "payload": {
            "paired": paired,
            "daily_quota_bytes": 10,
            "daily_used_bytes": 0,
            "monthly_quota_bytes": 20,
            "monthly_used_bytes": 3,
        },
    }


def test_every_frame_of_the_relay_has_an_id_of_its_own():
    # CORAL-3
    dialect = made()
    frames = [dialect.answer(MEMBER, c.Ping(), c.Ponged())[0] for _ in range(2)]
    frames += [dialect.tell(MEMBER, events.PeerCame()) or b"", dialect.refuse(MEMBER, None, e.Unparsed()) or b""]
    assert [json.loads(frame)["id"] for frame in frames] == ["id 1", "id 2", "id 3", "id 4"]


def test_a_pong_carries_an_empty_object():
    (message,) = DIALECT.answer(MEMBER, c.Ping(), c.Ponged())
    assert said(message) == ("pong", {})


@pytest.mark.parametrize("reply", [c.Passed(), c.Ignored()])
def test_nothing_is_said_to_what_was_passed_on_or_dropped(reply):
    assert list(DIALECT.answer(MEMBER, c.Ignore(), reply)) == []


@pytest.mark.parametrize(("event", "peer"), [(events.PeerCame(), "online"), (events.PeerWent(), "offline")])
def test_the_coming_and_going_of_the_peer_is_a_status(event, peer):
    # CORAL-11, CORAL-14
    assert said(DIALECT.tell(MEMBER, event)) == ("status", {"peer": peer})


def test_only_what_concerns_the_peer_is_told():
    assert DIALECT.tells == {events.PeerCame, events.PeerWent, events.Relayed}
    assert DIALECT.tells < set(get_args(events.Event))


# --- refusals --------------------------------------------------------------------------------------------------------

FAMILY = [
    kind()
    if kind
    not in {e.UnknownRequest, e.NotGranted, e.Unusable, e.RoleUnknown, e.NotLinked, e.BlockedByYou, e.UserUnknown}
    else kind("x")
    for kind in vars(e).values()
    if isinstance(kind, type) and issubclass(kind, e.ExchangeError)
]
BEFORE = [
    (e.Unparsed(), "chat.error", "INVALID_MESSAGE", "Invalid JSON"),
    (e.NotIdentified(), "chat.error", "UNAUTHORIZED", "First message must be auth"),
    (e.TooLarge(), "chat.error", "UNAUTHORIZED", "First message must be auth"),
    (e.RateExceeded(), "chat.error", "UNAUTHORIZED", "First message must be auth"),
    (e.PairingUnusable(), "auth.fail", "UNAUTHORIZED", "Invalid auth payload"),
    (e.PairUnknown(), "auth.fail", "UNAUTHORIZED", "Invalid pairing token"),
    (e.RoleUnknown("relay"), "auth.fail", "UNAUTHORIZED", "invalid role: relay"),
    (e.RoleUnknown(""), "auth.fail", "UNAUTHORIZED", "invalid role: "),
    (e.RoleUnknown("é" * 999), "auth.fail", "UNAUTHORIZED", f"invalid role: {'é' * RELAY_ECHO_CHARACTERS}"),
]
AFTER: list[tuple[e.ExchangeError, str, str, int | None]] = [
    (e.Unparsed(), "INVALID_MESSAGE", "Invalid JSON message", None),
    (e.RoleForbidden(), "INVALID_MESSAGE", "Phone cannot send stream messages", None),
    (e.TooLarge(), "MESSAGE_TOO_LARGE", "Message exceeds 5MB limit", None),
    (e.RateExceeded(), "RATE_LIMITED", "Rate limit exceeded", 1000),
    (e.DailyQuotaExceeded(), "DAILY_QUOTA_EXCEEDED", "Bandwidth quota exceeded", 60_000),
    (e.MonthlyQuotaExceeded(), "MONTHLY_QUOTA_EXCEEDED", "Bandwidth quota exceeded", 60_000),
    (e.PeerAbsent(), "PEER_OFFLINE", "Peer is not connected", None),
    (e.PeerBusy(), "PEER_OFFLINE", "Peer send buffer full", 1000),
]


@pytest.mark.parametrize(("error", "type_", "code", "text"), BEFORE)
def test_a_refused_first_frame_is_told_in_the_words_of_section_2_and_ends_the_connection(error, type_, code, text):
    # CORAL-6
    assert said(DIALECT.refuse(FIRST, None, error)) == (type_, {"code": code, "message": text})
    assert DIALECT.parts(FIRST, error) is Ending.REFUSED


@pytest.mark.parametrize(("error", "code", "text", "wait_ms"), AFTER)
def test_a_refused_frame_is_told_in_the_words_of_section_5_and_the_connection_stays(error, code, text, wait_ms):
    # CORAL-19: the time to wait is left out, not zero.
    payload = {"code": code, "message": text} | ({} if wait_ms is None else {"retry_after_ms": wait_ms})
    assert said(DIALECT.refuse(MEMBER, c.PassOn(), error)) == ("chat.error", payload)
    assert DIALECT.parts(MEMBER, error) is None


@pytest.mark.parametrize("session", [FIRST, MEMBER], ids=["first", "member"])
@pytest.mark.parametrize("error", [e.Unavailable(), e.StorageUnavailable(), e.NotDurable()])
def test_a_fault_of_the_store_says_nothing_and_ends_the_connection(session, error):
    # CORAL-6, CORAL-7, CORAL-37
    assert DIALECT.refuse(session, c.Attend(), error) is None
    assert DIALECT.parts(session, error) is Ending.STORE


@pytest.mark.parametrize("error", FAMILY, ids=lambda error: type(error).__name__)
def test_auth_fail_is_said_only_for_what_is_final_and_never_to_a_member(error):
    # CORAL-7: an agent that reads it never comes back.
    final = isinstance(error, e.PairingUnusable | e.PairUnknown | e.RoleUnknown)
    for session, expected in ((FIRST, final), (MEMBER, False), (session_of(State.ENDED), False)):
        message = DIALECT.refuse(session, None, error)
        assert (message is not None and said(message)[0] == "auth.fail") is expected


@pytest.mark.parametrize("error", FAMILY, ids=lambda error: type(error).__name__)
def test_every_refusal_of_a_first_frame_ends_the_connection(error):
    # CORAL-6
    assert DIALECT.parts(FIRST, error) in {Ending.REFUSED, Ending.STORE}


@pytest.mark.parametrize(
    ("ending", "code", "reason"),
    [
        (Ending.REFUSED, 1008, ""),
        (Ending.REVOKED, 1008, ""),
        (Ending.IDLE, 1008, ""),
        (Ending.REPLACED, 4001, "Replaced by a newer connection"),
        (Ending.STORE, 1013, ""),
        (Ending.SLOW_CONSUMER, 1013, ""),
        (Ending.DRAIN, 1001, ""),
    ],
)
def test_every_ending_has_the_close_code_of_the_wire(ending, code, reason):
    # CORAL-6, CORAL-25, CORAL-27, CORAL-37
    assert DIALECT.closes[ending] == (code, reason)
