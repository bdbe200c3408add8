"""What stands in ``content``: an object for a friend whose client understands them, plain text for everybody else (CLI-14).

Reading never fails. A string is text. An object of ours that we cannot read comes from a newer client: it is ``FOREIGN``,
kept as it came, and never shown as text. Any other JSON is shown as the text it is written in.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct, field

from magi.wire.limits import MESSAGE_BYTES

VERSION: Final = 1
ASK: Final = "ask"
NOTE: Final = "note"
ANSWER: Final = "answer"
DECLINE: Final = "decline"
STATE: Final = "state"
FOREIGN: Final = "foreign"
"""Not of the wire: content of a newer client."""

OF_QUESTIONS: Final = frozenset({ASK, NOTE})
OF_ANSWERS: Final = frozenset({ANSWER, DECLINE, STATE})
"""Which kinds a ``question`` and an ``answer`` frame may hold."""

CONTENT_BYTES: Final = MESSAGE_BYTES - (16 << 10)
"""The largest content: what the other fields of a frame take is left free."""
NAME_CHARACTERS: Final = 128  # of a thread, a parent, a trace
MARKS_COUNT: Final = 16

_Name = Annotated[str, Meta(max_length=NAME_CHARACTERS)]


class TooLong(ValueError):
    """The content would be larger than a frame can hold."""


class Trace(Struct, frozen=True, omit_defaults=True):
    """The machine turns that led here (CLI-39)."""

    id: _Name = ""
    marks: Annotated[tuple[_Name, ...], Meta(max_length=MARKS_COUNT)] = ()
    turn: Annotated[int, Meta(ge=0, le=2**31)] = 0


class Content(Struct, frozen=True, omit_defaults=True):
    """A message between two clients. ``state`` is set for that kind only, ``reason`` for a decline, else ``text``."""

    kind: str
    text: str = ""
    reason: str = ""
    state: str = ""
    thread: _Name = ""
    parent: _Name = ""
    origin: str = ""
    trace: Trace = field(default_factory=Trace)
    expires: Annotated[int, Meta(ge=0, le=2**53)] = 0

    @property
    def said(self) -> str:
        """What it says, whatever its kind: the words of an ask, the reason of a decline, the word of a state."""
        return {DECLINE: self.reason, STATE: self.state}.get(self.kind, self.text)


class _Object(Content, frozen=True, kw_only=True):
    magi: int


_NOTHING: Final = ("", 0, Trace())
"""What a key says nothing with, and is left out for."""
_encode: Final = msgspec.json.Encoder().encode
_decode_object: Final = msgspec.json.Decoder(_Object).decode
_decode_keys: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


def encode_object(content: Content) -> bytes:
    """Encode for a friend whose client understands objects.

    Raises:
        TooLong: More than ``CONTENT_BYTES``.
    """
    fields = {name: value for name in content.__struct_fields__ if (value := getattr(content, name)) not in _NOTHING}
    return _fitting(_encode({"magi": VERSION, **fields}))


def encode_text(content: Content) -> bytes:
    """Encode for everybody else. Of a decline, the text says that it is one; a state says nothing to them.

    Raises:
        TooLong: More than ``CONTENT_BYTES``.
        ValueError: A state.
    """
    if content.kind == STATE:
        raise ValueError("a state is for clients that understand objects")
    if content.kind == DECLINE:
        return _fitting(_encode(f"Declined: {content.reason}" if content.reason else "Declined."))
    return _fitting(_encode(content.text))


def decode(data: Raw | bytes, *, asked: bool) -> Content:
    """Read the content of a ``question`` (``asked``) or of an ``answer``. A ``FOREIGN`` content has its JSON as ``text``."""
    plain, kinds = (ASK, OF_QUESTIONS) if asked else (ANSWER, OF_ANSWERS)
    try:
        return Content(plain, _decode_text(data))
    except (msgspec.DecodeError, RecursionError):
        written = _compact(data)
    try:
        keys = _decode_keys(data)
    except (msgspec.DecodeError, RecursionError):
        return Content(plain, written)
    if "magi" not in keys:
        return Content(plain, written)
    try:
        read = _decode_object(data)
    except (msgspec.DecodeError, RecursionError):
        return Content(FOREIGN, written)
    if read.magi != VERSION or read.kind not in kinds:
        return Content(FOREIGN, written)
    fields: dict[str, Any] = {name: getattr(read, name) for name in Content.__struct_fields__}
    return Content(**fields)


def _compact(data: Raw | bytes) -> str:
    written = bytes(data)
    try:
        return msgspec.json.format(written, indent=-1).decode(errors="replace")
    except (msgspec.DecodeError, RecursionError):
        return written.decode(errors="replace")


def _fitting(encoded: bytes) -> bytes:
    if len(encoded) > CONTENT_BYTES:
        raise TooLong(f"The message is {len(encoded)} bytes long; {CONTENT_BYTES} are possible.")
    return encoded
