"""Twin of ``magi/wire/coralmux.py`` and ``coralmux_frames.py``."""

import json
import math
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from magi.wire import coralmux
from magi.wire import coralmux_frames as frames
from magi.wire.coralmux_frames import ErrorCode
from magi.wire.limits import JSON_DEPTH, RELAY_KEYS_COUNT

# --- a second opinion ------------------------------------------------------------------------------------------------


class Pairs(list[tuple[str, Any]]):
    """An object as it is written."""


def depth(value: Any) -> int:
    inner = [one for _, one in value] if isinstance(value, Pairs) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, Pairs):
        return [leaf for key, one in value for leaf in (key, *leaves(one))]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]


def integer(text: str) -> float | int:
    return int(text) if math.isfinite(float(text)) else math.inf


def never(text: str) -> Any:
    raise ValueError(text)


def naive(data: bytes) -> str | None:
    """Return the type of a frame, or ``None`` if it is malformed: the same rules over the parser of the standard library."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=Pairs, parse_constant=never, parse_int=integer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, Pairs) or depth(value) > JSON_DEPTH or len(value) > RELAY_KEYS_COUNT:
        return None
    for leaf in leaves(value):
        if isinstance(leaf, str) and re.search("[\ud800-\udfff]", leaf):
            return None
        if isinstance(leaf, float) and math.isinf(leaf):
            return None
    keys = [key.casefold() for key, _ in value]
    if len(set(keys)) < len(keys):
        return None
    fields = dict(value)
    for key in ("v", "ts"):
        if fields.get(key) is not None and (type(fields[key]) is not int or not -(2**63) <= fields[key] < 2**63):
            return None
    for key in ("type", "id"):
        if not isinstance(fields.get(key), str | None):
            return None
    return fields.get("type") or ""


def decoded(data: bytes) -> str | None:
    try:
        return coralmux.decode(data).type
    except coralmux.Malformed:
        return None


# --- hostile frames --------------------------------------------------------------------------------------------------


def mostly(good: tuple[str, ...], bad: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Choose bad ones often enough, but let most frames be good."""
    return st.integers(0, 19).flatmap(lambda number: st.sampled_from(good if number else bad))


SPACE = mostly(("", "", "", " ", "\n\t", "\r"), ("\f", "\xa0", "\x00"))
GOOD_VALUES = (
    *("0", "-0", "1", "1.5", "1e3", "1e308", "1e-999", str(2**63 - 1), str(2**63), "9" * 25, "true", "false", "null"),
    *(
        '"chat.send"',
        '"auth.ok"',
        '"a\\"b"',
        '"\\\\"',
        '"\\u0000"',
        '"\\ud83d\\ude00"',
        '"\x7f"',
        '"é"',
        '"e309 1e999"',
        '"[[[["',
        '""',
    ),
)
BAD_VALUES = (
    *("1e309", "-1E+999", "9" * 309, "9" * 5000, "NaN", "-Infinity", "01", "-", "1.", ".5", "1e", "+1", "0x1", "1 2"),
    *('"\\ud800"', '"\\udc00x"', '"\\ud800\\u0041"', '"\\x"', '"\\u12"', '"\x01"', '"\n"', '"', "'a'", '"\\"'),
    *("tru", "None", "undefined", "", "/**/1", '"\ud800"'),
)
GOOD_KEYS = (
    "v",
    "type",
    "id",
    "ts",
    "payload",
    "extra",
    "",
    "e9999",
    "a:b",
    "{",
    "\\u0074ype",
    "payl\\u006fad",
    "\\u00e9",
)
BAD_KEYS = ("Type", "TS", "t\u017f", "\\u0054ype", "\\ud800", "\\q", "\ud800")
ALL_KEYS = mostly(GOOD_KEYS, BAD_KEYS)
FITTING = {
    "v": ("1", "null"),
    "type": ('"chat.send"', '"\\u0061"', "null"),
    "id": ('"x"', '""'),
    "ts": ("5", "-1", "null"),
}


def listed(values: list[str]) -> str:
    return f"[{','.join(values)}]"


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = []
    for _ in range(draw(st.integers(0, 5))):
        key = draw(ALL_KEYS)
        fitting = FITTING.get(key.replace("\\u0074", "t"))
        value = draw(st.sampled_from(fitting) if fitting and draw(st.integers(0, 9)) else values)
        pairs.append(f'{draw(SPACE)}"{key}"{draw(SPACE)}:{draw(SPACE)}{value}{draw(SPACE)}')
    return (
        f"{draw(SPACE)}{{{draw(mostly((',',), (',,', ''))).join(pairs)}{draw(mostly(('',), (',', '}')))}}}{draw(SPACE)}"
    )


VALUES = st.recursive(
    mostly(GOOD_VALUES, BAD_VALUES) | st.integers().map(str) | st.text(max_size=6).map(json.dumps),
    lambda inner: st.lists(inner, max_size=3).map(listed) | objects(inner),
    max_leaves=4,
)
GOOD = st.fixed_dictionaries(
    {},
    optional={
        "v": st.just(1) | st.none(),
        "type": st.sampled_from(["chat.send", "auth.ok", "ping", ""]) | st.none() | st.text(max_size=4),
        "id": st.text(max_size=4) | st.none(),
        "ts": st.integers(-(2**63), 2**63 - 1) | st.none(),
        "payload": st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
        "more": st.integers(),
    },
)


@given(objects(VALUES))
def test_both_opinions_agree_on_hostile_frames(text):
    data = text.encode("utf-8", "surrogatepass")
    assert decoded(data) == naive(data)


@given(GOOD, st.booleans(), st.sampled_from([None, 2]))
def test_both_opinions_agree_that_a_frame_is_good(value, ascii_only, indent):
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert decoded(data) == naive(data) == (value.get("type") or "")


@given(GOOD, st.data())
def test_both_opinions_agree_on_a_good_frame_with_one_byte_changed(value, data):
    frame = bytearray(
        json.dumps({"type": "chat.send", "id": "x" * 36, "payload": {"text": "a" * 40}, **value}).encode()
    )
    frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    assert decoded(bytes(frame)) == naive(bytes(frame))


@given(st.binary(max_size=60) | st.text('{}[]":,\\ue19.-+ "type"', max_size=40).map(str.encode))
def test_any_bytes_are_an_envelope_or_malformed(data):
    assert decoded(data) == naive(data)


@given(objects(VALUES))
def test_whatever_wins_among_its_keys_a_parser_reads_the_type_that_we_read(text):
    # S37: a peer that takes the first of two equal keys, or the last, or does not look at case, sees the type we judged.
    data = text.encode("utf-8", "surrogatepass")
    type_ = decoded(data)
    if type_ is None:
        return
    pairs = json.loads(data, object_pairs_hook=Pairs)
    readings = [dict(pairs), dict(reversed(pairs))]
    assert {one.get("type") or "" for one in readings} == {type_}
    if type_:
        folded = [{key.casefold(): value for key, value in order} for order in (pairs, list(reversed(pairs)))]
        assert {one["type"] for one in folded} == {type_}


# --- the rules, one by one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "type_", "payload"),
    [
        (b'{"v":1,"type":"chat.send","id":"x","ts":5,"payload":{"a":1}}', "chat.send", b'{"a":1}'),
        (b' {"payload" : [ 1 , 2.50 ] ,\n"type":"a"}\t', "a", b"[ 1 , 2.50 ]"),
        (b'{"type":"a","payload":null}', "a", b"null"),
        (b'{"t\\u0079pe":"a","payload":"\\u00e9"}', "a", b'"\\u00e9"'),
        (b'{"type":"a"}', "a", None),
        (b"{}", "", None),
        (b'{"v":null,"type":null,"id":null,"ts":null}', "", None),
        (b'{"v":7,"ts":-1,"other":{"type":"auth.ok"}}', "", None),
    ],
)
def test_the_type_and_the_bytes_of_the_payload_are_read(data, type_, payload):
    # CORAL-3: missing fields are fine.
    envelope = coralmux.decode(data)
    assert envelope.type == type_
    assert (None if envelope.payload is None else bytes(envelope.payload)) == payload


@pytest.mark.parametrize("field", ["v", "ts"])
@pytest.mark.parametrize(
    "value", ["1.5", "1.0", "1e3", '"1"', "true", "[]", "{}", str(2**63), str(-(2**63) - 1), "9" * 99]
)
def test_a_version_and_a_time_are_integers_of_64_bits(field, value):
    # CORAL-3
    assert decoded(f'{{"type":"a","{field}":{value}}}'.encode()) is None
    assert decoded(f'{{"type":"a","{field}":{2**63 - 1}}}'.encode()) == "a"


@pytest.mark.parametrize("field", ["type", "id"])
@pytest.mark.parametrize("value", ["1", "true", "[]", '{"a":1}', "1.5"])
def test_a_type_and_an_id_are_strings(field, value):
    # CORAL-3
    assert decoded(f'{{"{field}":{value}}}'.encode()) is None


@pytest.mark.parametrize(
    "value", [b"null", b"1", b'"a"', b"true", b"[]", b'[{"type":"a"}]', b"", b"\xef\xbb\xbf{}", b"{} {}", b"{}\x00"]
)
def test_what_is_not_one_object_is_malformed(value):
    assert decoded(value) is None


@pytest.mark.parametrize(
    "place", [b'{"type":"%s"}', b'{"payload":"%s"}', b'{"other":["%s"]}', b'{"%s":1}', b'{"payload":{"%s":1}}']
)
@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\\ud800", b"\x01", b"\\x"]
)
def test_text_that_breaks_a_parser_is_found_wherever_it_stands(place, text):
    # CORAL-2, SEC-62
    assert decoded(place % b"ok") is not None
    assert decoded(place % text) is None


@pytest.mark.parametrize("place", [b'{"payload":%s}', b'{"other":[%s]}', b'{"payload":{"a":[1,{"b":%s}]}}'])
@pytest.mark.parametrize(
    "number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e309", b"01", b"1.", b".5", b"9" * 309, b"9" * 5000]
)
def test_a_number_that_a_parser_may_refuse_is_found_wherever_it_stands(place, number):
    # SEC-62
    assert decoded(place % b"1e308") is not None
    assert decoded(place % number) is None


@pytest.mark.parametrize(
    "keys",
    [
        ('"type"', '"type"'),
        ('"type"', '"\\u0074ype"'),
        ('"t\\u0079pe"', '"\\u0074ype"'),
        ('"type"', '"Type"'),
        ('"ts"', '"t\u017f"'),
        ('"payload"', '"payload"'),
        ('"x"', '"x"'),
        ('""', '""'),
    ],
)
def test_a_key_that_is_there_twice_is_malformed_however_it_is_spelled(keys):
    # S37, SEC-62
    first, second = keys
    assert decoded(f'{{{first}:null,"a":1,{second}:null}}'.encode()) is None
    assert decoded(f'{{{first}:null,"a":1}}'.encode()) == ""


def test_a_key_that_is_there_twice_further_in_is_for_the_peer_to_judge():
    assert decoded(b'{"type":"a","payload":{"type":1,"type":2}}') == "a"


def test_the_number_of_keys_has_a_bound():
    frame = lambda count: json.dumps({f"k{number}": 1 for number in range(count)}).encode()  # noqa: E731
    assert decoded(frame(RELAY_KEYS_COUNT)) == ""
    assert decoded(frame(RELAY_KEYS_COUNT + 1)) is None
    assert decoded(json.dumps({"type": "a", "payload": dict.fromkeys(map(str, range(1000)))}).encode()) == "a"


@pytest.mark.parametrize("key", ['""', '"{}"'], ids=["all alike", "all different"])
def test_of_a_frame_of_nothing_but_keys_no_more_are_made_than_it_may_have(monkeypatch, key):
    # S18: a malformed frame costs its sender nothing, so it must not cost us a million objects.
    made = []

    class Counted(coralmux._Key):
        def __init__(self, name: str) -> None:
            made.append(name)
            super().__init__(name)

    monkeypatch.setattr(coralmux, "_Key", Counted)
    keys = ",".join(key.format(number) + ":0" for number in range(100_000))
    assert decoded(f"{{{keys}}}".encode()) is None
    assert len(made) == RELAY_KEYS_COUNT
    assert decoded(b'{"type":"a","b":1}') == "a", "the next frame begins anew"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_has_a_bound(opening, closing):
    nested = lambda deep: b'{"type":"a","payload":' + opening * deep + b"1" + closing * deep + b"}"  # noqa: E731
    assert decoded(nested(JSON_DEPTH - 1)) == "a"
    assert decoded(nested(JSON_DEPTH)) is None
    assert decoded(nested(100_000)) is None
    assert decoded(b"[" * 100_000) is None


@pytest.mark.parametrize(
    ("payload", "auth"),
    [
        (b'{"token":"t","role":"phone"}', frames.Auth("t", "phone")),
        (b'{"role":"x","more":[1]}', frames.Auth(None, "x")),
        (b'{"token":null}', frames.Auth()),
        (b"{}", frames.Auth()),
        *(
            (payload, None)
            for payload in (b"null", b"[]", b'"t"', b"5", b'{"token":5}', b'{"token":"t","role":["phone"]}')
        ),
    ],
)
def test_the_payload_of_an_auth_is_an_object_of_strings(payload, auth):
    # CORAL-6
    assert coralmux.decode_auth(Raw(payload)) == auth


def test_an_auth_without_a_payload_is_none():
    assert coralmux.decode_auth(None) is None


# --- frames of the relay ---------------------------------------------------------------------------------------------

WRITTEN: list[tuple[frames.Payload, str, dict[str, Any]]] = [
    (
        frames.AuthOk(
            paired=False, daily_quota_bytes=1, daily_used_bytes=0, monthly_quota_bytes=2, monthly_used_bytes=0
        ),
        "auth.ok",
        {
            "paired": False,
            "daily_quota_bytes": 1,
            "daily_used_bytes": 0,
            "monthly_quota_bytes": 2,
            "monthly_used_bytes": 0,
        },
    ),
    (frames.AuthFail(ErrorCode.UNAUTHORIZED, "no"), "auth.fail", {"code": "UNAUTHORIZED", "message": "no"}),
    (frames.ChatError(ErrorCode.PEER_OFFLINE, "no"), "chat.error", {"code": "PEER_OFFLINE", "message": "no"}),
    (
        frames.ChatError(ErrorCode.RATE_LIMITED, "no", 1000),
        "chat.error",
        {"code": "RATE_LIMITED", "message": "no", "retry_after_ms": 1000},
    ),
    (frames.Status("online"), "status", {"peer": "online"}),
    (frames.Pong(), "pong", {}),
]


@pytest.mark.parametrize(("payload", "type_", "value"), WRITTEN)
def test_a_frame_of_the_relay_has_exactly_these_fields(payload, type_, value):
    # CORAL-3, CORAL-9: nothing is left out because it is false or zero. CORAL-19: no wait is left out, not zero.
    frame = coralmux.encode(payload, id_="an id", ts=1_763_700_000_000)
    assert list(json.loads(frame).items()) == [
        *(("v", 1), ("type", type_), ("id", "an id"), ("ts", 1_763_700_000_000), ("payload", value))
    ]
    assert coralmux.decode(frame).type == type_


def test_every_frame_of_the_relay_is_in_the_table():
    assert {type(payload) for payload, *_ in WRITTEN} == set(get_args(frames.Payload))


def test_what_the_relay_says_is_never_passed_on_from_a_client_except_errors():
    # Section 4: a client cannot speak for the relay; chat.error is said by agents too.
    said = {type_ for _, type_, _ in WRITTEN}
    assert said & (coralmux.FROM_BOTH | coralmux.FROM_AGENTS) == {"chat.error"}
    assert not [type_ for type_ in said if type_.startswith(coralmux.FROM_BOTH_PREFIXES)]


def test_the_parameters_of_the_encryption_are_those_of_section_8():
    assert (coralmux.E2E_SALT, coralmux.E2E_INFO) == (b"openclaw-relay-e2e-v1", b"chat-encryption")
    assert (coralmux.E2E_KEY_BYTES, coralmux.E2E_NONCE_BYTES) == (32, 12)
