"""The bytes of an envelope, and its digest."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core.model import Envelope, Kind
from exchange.storage.parcel import DIGEST_BYTES, digest, pack, unpack

HELLO = Envelope(Kind.QUESTION, "bob", "c1", 0, 5, b'"hello"', "m1", "m0", ("t1",), 9, "bob", "Bob")


@given(st.binary(max_size=500), st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_an_envelope_comes_out_as_it_went_in(body: bytes, nick: str) -> None:
    envelope = HELLO._replace(body=body, nick=nick)
    assert unpack(pack(envelope)) == envelope
    assert body in pack(envelope)


@pytest.mark.parametrize(
    "same", [{"id": "m2"}, {"accepted_ms": 7}, {"deadline_ms": 7}, {"name": "x"}, {"trace": ()}], ids=str
)
def test_a_repeat_has_the_digest_of_the_first(same: dict[str, Any]) -> None:
    assert digest(HELLO._replace(**same)) == digest(HELLO)
    assert len(digest(HELLO)) == DIGEST_BYTES


@pytest.mark.parametrize(
    "other", [{"kind": Kind.ANSWER}, {"body": b'"hello" '}, {"reply_to": "m"}, {"expires_ms": 90}], ids=str
)
def test_another_message_has_another_digest(other: dict[str, Any]) -> None:
    assert digest(HELLO._replace(**other)) != digest(HELLO)


def test_what_is_replied_to_is_told_from_the_body() -> None:
    assert digest(HELLO._replace(reply_to="a", body=b"b")) != digest(HELLO._replace(reply_to="ab", body=b""))
    assert digest(HELLO._replace(reply_to="\ud800", body=b""))


def test_a_kind_has_one_digest_as_a_number_and_by_name() -> None:
    assert digest(HELLO._replace(kind=1)) == digest(HELLO)
