"""Reading letters, fates and records of histories."""

import msgspec
import pytest

from exchange.core.model import Envelope, Fate, Kind, Letter, Record, Undelivered
from exchange.storage.parcel import pack
from exchange.storage.redis.letters import pack_record, unpack_fate, unpack_letter, unpack_record

HELLO = Envelope(Kind.QUESTION, "bob", "c1", 0, 5, b'"hello"', "m1", name="bob", nick="Bob 🦀")
SAID = Record(5, "17-0", True, Kind.ANSWER, "m1", "m0", bytes(range(256)))


def entry(parcel: bytes) -> tuple[bytes, list[bytes]]:
    return b"17-0", [b"f", b"bob", b"i", b"m1", b"k", b"1", b"x", b"99", b"p", b"0-0", b"b", parcel]


def test_a_letter_is_read_from_its_entry() -> None:
    parcel = pack(HELLO)
    assert unpack_letter(entry(parcel)) == Letter("17-0", HELLO, 99, len(parcel))


@pytest.mark.parametrize("parcel", [msgspec.msgpack.encode((*HELLO, "news")), b"\xc1", b""])
def test_a_letter_of_unknown_layout_is_none(parcel: bytes) -> None:
    assert unpack_letter(entry(parcel)) is None


def test_a_fate_is_read_from_its_field() -> None:
    record = msgspec.msgpack.encode((1, "parked", 2, "bob", "m1"))
    assert unpack_fate(b"17-0", record) == Undelivered("17-0", Fate.PARKED, Kind.ANSWER, "bob", "m1")


@pytest.mark.parametrize(
    "fields", [(2, "parked", 2, "bob", "m1"), (1, "eaten", 2, "bob", "m1"), (1, "parked", 2, "bob")]
)
def test_a_fate_of_unknown_layout_is_none(fields: tuple[object, ...]) -> None:
    assert unpack_fate(b"17-0", msgspec.msgpack.encode(fields)) is None


def test_a_record_comes_out_as_it_went_in() -> None:
    assert unpack_record(b"17-0", pack_record(SAID)) == SAID


@pytest.mark.parametrize("packed", [msgspec.msgpack.encode((2, 5, True, 2, "m1", "", b"")), b"\xc1", b""])
def test_a_record_of_unknown_layout_is_none(packed: bytes) -> None:
    assert unpack_record(b"17-0", packed) is None
