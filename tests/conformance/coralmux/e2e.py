"""What a phone and an agent do with a payload that the relay shall not read (CORAL-33, docs/protocols/coralmux.md section 8).

::

    X25519(mine, theirs) -> HKDF-SHA256(SALT, INFO) -> one AES-256-GCM key for both directions
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT = b"openclaw-relay-e2e-v1"
INFO = b"chat-encryption"
KEY_BYTES = 32
NONCE_BYTES = 12
FINGERPRINT_CHARACTERS = 32


class Unusable(ValueError):
    """What came is no public key, no wrapper, or not made with our key."""


class KeyPair:
    """The keys of one end, for one connection and until the next ``status online``."""

    def __init__(self, private: bytes | None = None) -> None:
        """Take 32 private bytes, or make some."""
        self._private = X25519PrivateKey.from_private_bytes(os.urandom(KEY_BYTES) if private is None else private)

    @property
    def public(self) -> str:
        """The public key as ``key_exchange`` carries it."""
        return _text(self._private.public_key().public_bytes_raw())

    def agree(self, public: object) -> "Cipher":
        """Return the cipher that both ends have once they know each other's public key.

        Raises:
            Unusable: It is no public key, or one with which everybody would agree on the same.
        """
        theirs = _bytes(public)
        if len(theirs) != KEY_BYTES:
            raise Unusable("a public key has 32 bytes")
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(theirs))
        except ValueError:
            raise Unusable("the shared secret is nothing but zeros") from None
        return Cipher.of(shared)


class Cipher:
    """Seals and opens payloads."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._cipher = AESGCM(key)

    @classmethod
    def of(cls, shared: bytes) -> Self:
        """Derive the key from a shared secret.

        Raises:
            Unusable: The secret is all zeros: whoever sent the public key need not know a private one.
        """
        if not any(shared):
            raise Unusable("the shared secret is nothing but zeros")
        return cls(HKDF(SHA256(), KEY_BYTES, SALT, INFO).derive(shared))

    def seal(self, payload: object, nonce: bytes | None = None) -> dict[str, Any]:
        """Return the wrapper that takes the payload's place. A nonce is given by tests only: none may be used twice."""
        nonce = os.urandom(NONCE_BYTES) if nonce is None else nonce
        ciphertext = self._cipher.encrypt(nonce, plaintext_of(payload).encode(), None)
        return {"enc": True, "ciphertext": _text(ciphertext), "nonce": _text(nonce)}

    def open(self, wrapper: Mapping[str, Any]) -> Any:
        """Return the payload that was wrapped.

        Raises:
            Unusable: It is no wrapper, was changed on the way, or was made with another key.
        """
        nonce, ciphertext = _bytes(wrapper.get("nonce")), _bytes(wrapper.get("ciphertext"))
        if wrapper.get("enc") is not True or len(nonce) != NONCE_BYTES:
            raise Unusable("this is no encrypted payload")
        try:
            return json.loads(self._cipher.decrypt(nonce, ciphertext, None).decode())
        except InvalidTag:
            raise Unusable("made with another key, or changed on the way") from None
        except ValueError:
            raise Unusable("what was encrypted is not JSON in UTF-8") from None


def plaintext_of(payload: object) -> str:
    """Return what is encrypted: JSON without white space, characters as they are."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def is_sealed(payload: object) -> bool:
    """Tell whether a payload says of itself that it is encrypted: both forms of every frame are fine."""
    return isinstance(payload, Mapping) and payload.get("enc") is True


def fingerprint(one: str, other: str) -> str:
    """Return what two people can compare to know that nobody stands between them, the same for both (CORAL-35)."""
    both = b"".join(sorted((_bytes(one), _bytes(other))))
    return hashlib.sha256(both).hexdigest()[:FINGERPRINT_CHARACTERS]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise Unusable("base64 is text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("this is not standard base64 with padding") from None
