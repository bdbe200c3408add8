"""An envelope as it lies in a mailbox: its bytes, which are what it counts as, and what tells it from another."""

from hashlib import blake2b

import msgspec

from exchange.core.model import Envelope

DIGEST_BYTES = 12

pack = msgspec.msgpack.Encoder().encode
"""Turn an envelope into bytes."""

unpack = msgspec.msgpack.Decoder(Envelope).decode
"""Turn bytes into an envelope.

Raises:
    msgspec.DecodeError: It has another layout.
"""


def digest(envelope: Envelope) -> bytes:
    """Return what all repeats of a message share: kind, what it replies to, when it expires, and its body (MAGI-45)."""
    head = f"{envelope.kind:d} {envelope.expires_ms} {len(envelope.reply_to)} {envelope.reply_to}"
    return blake2b(head.encode("utf-8", "surrogatepass") + envelope.body, digest_size=DIGEST_BYTES).digest()
