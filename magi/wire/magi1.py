"""Bytes of the mAgi wire, version 1, and what they say: requests come in, frames go out.

A released version is never edited, only added beside; fields, requests and frames may be appended.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from magi.wire.limits import ECHO_CHARACTERS
from magi.wire.magi1_frames import Frame
from magi.wire.magi1_requests import TYPES, Request
from magi.wire.strict import text_of, too_deep


class Malformed(ValueError):
    """The text is not a message of this wire: not JSON, not UTF-8, nested too deep, or JSON ``null``.

    ``parsed`` tells whether it was JSON at all; the statistics count only what parsed (MAGI section 3).
    """

    def __init__(self, *, parsed: bool) -> None:
        super().__init__("Invalid message format")
        self.parsed = parsed


class UnknownType(ValueError):
    """The JSON value names no request of this wire; ``type`` is what the error text repeats."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"Unknown message type: {type_}")
        self.type = type_


_encoder: Final = msgspec.json.Encoder()
_decode_request: Final[Callable[[bytes], Request]] = msgspec.json.Decoder(Request).decode
_decode_frame: Final[Callable[[bytes], Frame]] = msgspec.json.Decoder(Frame).decode
encode: Final = _encoder.encode
"""Encode a frame, or any JSON value, as UTF-8 bytes without white space."""


def decode(data: bytes) -> Request:
    """Decode one inbound message.

    Raises:
        Malformed: See there.
        UnknownType: The value has no ``type``, or one that is not a request.
    """
    if text_of(data) is None or too_deep(data):
        raise Malformed(parsed=False)
    try:
        return _decode_request(data)
    except (msgspec.DecodeError, RecursionError):
        raise _why(data) from None


def decode_frame(data: bytes) -> Frame:
    """Decode one message of the exchange, as a client does.

    Raises:
        msgspec.DecodeError: Not a frame of this version. Clients ignore it (MAGI-16).
    """
    return _decode_frame(data)


def _why(data: bytes) -> Malformed | UnknownType:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return Malformed(parsed=False)
    if value is None:
        return Malformed(parsed=True)
    if not isinstance(value, dict) or "type" not in value:
        return UnknownType("undefined")
    type_ = value["type"]
    if not isinstance(type_, str):
        return UnknownType(encode(type_).decode()[:ECHO_CHARACTERS])
    return Malformed(parsed=True) if type_ in TYPES else UnknownType(type_[:ECHO_CHARACTERS])
