"""Bytes of the CoralMux wire, version 1: envelopes come in and are passed on as they are, frames of the relay go out.

What is passed on must mean the same to every parser, because the relay judges it by its own. So a frame that parsers could
read in two ways, or that some of them refuse, is malformed. A released version is never edited, only added beside.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from magi.wire.coralmux_frames import Auth, Payload
from magi.wire.limits import RELAY_KEYS_COUNT
from magi.wire.strict import bare, text_of, too_deep, too_large

VERSION: Final = 1
AUTH: Final = Auth.TYPE
PING: Final = "ping"

FROM_AGENTS: Final = frozenset({"chat.stream", "chat.done"})
"""Passed on for an agent; a phone must not send them (section 4)."""

FROM_BOTH: Final = frozenset(
    {
        *("chat.send", "chat.error", "chat.tool_status", "chat.history", "chat.history.result", "key_exchange"),
        *("agent.list", "agent.list.result", "agent.create", "agent.update", "agent.delete", "agent.result"),
        *("memory.search", "memory.search.result"),
    }
)
"""Passed on for both (section 4)."""

FROM_BOTH_PREFIXES: Final = ("group.", "system.", "file.")
"""Passed on for both, whatever the action is (CORAL-17)."""

# --- end-to-end encryption: what our own clients do with payloads (CORAL-33) -------------------------------------------

E2E_SALT: Final = b"openclaw-relay-e2e-v1"
"""Salt of HKDF-SHA256 over the secret of X25519."""
E2E_INFO: Final = b"chat-encryption"
"""Info of the same."""
E2E_KEY_BYTES: Final = 32
"""Length of the derived key, of AES-256-GCM, and of a raw public key before its base64."""
E2E_NONCE_BYTES: Final = 12
"""Length of the random nonce of each payload. There is no additional data; the tag of 16 bytes ends the ciphertext."""


class Malformed(ValueError):
    """The bytes are no envelope of this wire, or not the same one to every parser."""


class Envelope(NamedTuple):
    """What the relay reads of a frame. ``type`` is empty, ``payload`` is ``None`` if the frame has none."""

    type: str
    payload: Raw | None


_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Fields(Struct, gc=False):
    """The keys that have a meaning. ``null`` is as good as missing."""

    v: _Int64 | None = None
    type: str | None = None
    id: str | None = None
    ts: _Int64 | None = None
    payload: Raw = Raw()


class _Key:
    """A key of an envelope. No two are equal, so a dictionary keeps a name that is there twice."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class _Frame(Struct):
    v: int
    type: str
    id: str
    ts: int
    payload: Payload


class _Keys:
    """Reads the keys of an envelope, but no more of them than it may have: in 5 MiB there is room for a million."""

    __slots__ = ("_decode", "_left_count")

    def __init__(self) -> None:
        self._left_count = 0
        self._decode: Final = msgspec.json.Decoder(dict[_Key, Raw], dec_hook=self._make).decode

    def decode(self, data: bytes) -> dict[_Key, Raw]:
        self._left_count = RELAY_KEYS_COUNT
        return self._decode(data)

    def _make(self, _type: type[_Key], name: Any) -> _Key:
        if not self._left_count:
            raise ValueError("too many keys")
        self._left_count -= 1
        return _Key(name)


_decode_fields: Final[Callable[[bytes], _Fields]] = msgspec.json.Decoder(_Fields).decode
_decode_keys: Final = _Keys().decode
_decode_auth: Final[Callable[[Raw], Auth]] = msgspec.json.Decoder(Auth).decode
_encode: Final = msgspec.json.Encoder().encode


def decode(data: bytes) -> Envelope:
    """Read the envelope of a frame.

    What this accepts may be passed on: it is UTF-8, and JSON that every parser takes and reads alike.

    Raises:
        Malformed: Not UTF-8; not JSON, or with numbers beyond the range of a double or halves of surrogate pairs; nested
            too deep; not an object; too many keys, or two that differ at most in case; or a wrong type in ``v``, ``type``,
            ``id`` or ``ts`` (CORAL-3).
    """
    if text_of(data) is None:
        raise Malformed
    text = bare(data)
    if too_deep(text):
        raise Malformed
    try:
        fields = _decode_fields(data)
        keys = _decode_keys(data)
    except (msgspec.DecodeError, RecursionError):
        raise Malformed from None
    # Go's parser takes "Type" for "type", and the last of both wins; others take the first, or only exact ones.
    if len({key.name.casefold() for key in keys}) < len(keys) or too_large(text):
        raise Malformed
    return Envelope(fields.type or "", fields.payload or None)


def decode_auth(payload: Raw | None) -> Auth | None:
    """Read the payload of an ``auth`` frame; ``None`` if it is missing, no object, or ill-typed (CORAL-6)."""
    try:
        return None if payload is None else _decode_auth(payload)
    except msgspec.DecodeError:
        return None


def encode(payload: Payload, *, id_: str, ts: int) -> bytes:
    """Encode a frame of the relay.

    Args:
        payload: What it says; this decides its type.
        id_: A new UUID, version 4.
        ts: The time, in milliseconds since the epoch.
    """
    return _encode(_Frame(VERSION, payload.TYPE, id_, ts, payload))
