"""Section 8: the encryption of both ends against vectors, and by hand where the standard library can."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from tests.conformance.coralmux.e2e import INFO, SALT, Cipher, KeyPair, Unusable, fingerprint, is_sealed, plaintext_of
from tests.conformance.magi.requirements import covers

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
PHONE = KeyPair(bytes.fromhex(VECTORS["phone"]["private"]))
AGENT = KeyPair(bytes.fromhex(VECTORS["agent"]["private"]))
CIPHER = Cipher(bytes.fromhex(VECTORS["key"]))

# RFC 7748, section 6.1: Bob's private key, Alice's public one, and what they share.
RFC_PRIVATE = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
RFC_PUBLIC = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
RFC_SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


def of_each(group: str) -> pytest.MarkDecorator:
    """Run a test with every vector of a group."""
    return pytest.mark.parametrize("vector", VECTORS[group], ids=lambda vector: vector["name"])


@covers("CORAL-33")
def test_both_ends_agree_on_the_key_of_the_vectors():
    assert (PHONE.public, AGENT.public) == (VECTORS["phone"]["pubkey"], VECTORS["agent"]["pubkey"])
    assert PHONE.agree(AGENT.public).key == AGENT.agree(PHONE.public).key == CIPHER.key
    assert Cipher.of(bytes.fromhex(VECTORS["shared"])).key == CIPHER.key
    assert (VECTORS["salt"].encode(), VECTORS["info"].encode()) == (SALT, INFO)


@covers("CORAL-33")
def test_the_key_agreement_is_that_of_rfc_7748():
    public = base64.b64encode(bytes.fromhex(RFC_PUBLIC)).decode()
    assert KeyPair(bytes.fromhex(RFC_PRIVATE)).agree(public).key == Cipher.of(bytes.fromhex(RFC_SHARED)).key


@covers("CORAL-33")
def test_the_key_is_what_rfc_5869_derives_from_salt_and_info():
    drawn = hmac.digest(b"openclaw-relay-e2e-v1", bytes.fromhex(VECTORS["shared"]), "sha256")
    assert hmac.digest(drawn, b"chat-encryption\x01", "sha256") == CIPHER.key


@covers("CORAL-33")
@of_each("sealed")
def test_a_payload_is_sealed_as_in_the_vectors_and_opened_again(vector):
    wrapper = vector["wrapper"]
    assert plaintext_of(vector["payload"]) == vector["plaintext"]
    assert CIPHER.seal(vector["payload"], base64.b64decode(wrapper["nonce"])) == wrapper
    assert PHONE.agree(AGENT.public).open(wrapper) == AGENT.agree(PHONE.public).open(wrapper) == vector["payload"]
    assert len(base64.b64decode(wrapper["ciphertext"])) == len(vector["plaintext"].encode()) + 16


@covers("CORAL-33", "CORAL-35")
def test_the_page_of_the_wire_shows_the_first_vector():
    page = (Path(__file__).parents[3] / "docs/protocols/coralmux.md").read_text(encoding="utf-8")
    first, keys = VECTORS["sealed"][0], ("shared", "key", "fingerprint", "salt", "info")
    ends = [VECTORS[end][part] for end in ("phone", "agent") for part in ("private", "pubkey")]
    shown = (*ends, *(VECTORS[key] for key in keys), first["plaintext"], *list(first["wrapper"].values())[1:])
    assert [text for text in shown if text not in page] == []


@covers("CORAL-33")
@of_each("refused")
def test_what_is_no_wrapper_of_this_key_is_refused(vector):
    with pytest.raises(Unusable):
        CIPHER.open(vector["wrapper"])


@covers("CORAL-33")
@of_each("no_keys")
def test_what_is_no_public_key_is_refused_and_so_is_one_that_makes_the_secret_zero(vector):
    with pytest.raises(Unusable):
        PHONE.agree(vector["pubkey"])


@covers("CORAL-33")
def test_a_shared_secret_of_zeros_is_refused_whoever_computed_it():
    with pytest.raises(Unusable):
        Cipher.of(bytes(32))


@covers("CORAL-33")
def test_what_was_sealed_but_is_not_json_is_refused():
    for plaintext in (b"", b"{", b"\xff"):
        nonce = bytes(12)
        sealed = CIPHER._cipher.encrypt(nonce, plaintext, None)
        wrapper = {
            "enc": True,
            "ciphertext": base64.b64encode(sealed).decode(),
            "nonce": base64.b64encode(nonce).decode(),
        }
        with pytest.raises(Unusable):
            CIPHER.open(wrapper)


@covers("CORAL-33")
def test_no_two_wrappers_of_one_payload_are_alike():
    wrappers = [CIPHER.seal({}) for _ in range(100)]
    assert (
        len({wrapper["nonce"] for wrapper in wrappers}) == len({wrapper["ciphertext"] for wrapper in wrappers}) == 100
    )
    assert KeyPair().public != KeyPair().public


@covers("CORAL-33")
def test_both_forms_of_a_payload_are_told_apart():
    assert is_sealed(CIPHER.seal({"text": "hello"}))
    for plain in ({}, {"text": "hello"}, {"enc": False}, {"enc": 1}, None, [], "enc"):
        assert not is_sealed(plain)


@covers("CORAL-35")
def test_a_relay_that_swaps_the_keys_reads_along_and_only_the_fingerprints_show_it():
    relay = KeyPair()
    phone, agent = PHONE.agree(relay.public), AGENT.agree(relay.public)
    read = relay.agree(PHONE.public).open(phone.seal({"text": "for the agent alone"}))
    assert agent.open(relay.agree(AGENT.public).seal(read)) == {"text": "for the agent alone"}
    assert fingerprint(PHONE.public, relay.public) != fingerprint(AGENT.public, relay.public)
    assert fingerprint(PHONE.public, AGENT.public) == fingerprint(AGENT.public, PHONE.public) == VECTORS["fingerprint"]
    assert (
        hashlib.sha256(b"".join(sorted(map(base64.b64decode, (PHONE.public, AGENT.public)))))
        .hexdigest()
        .startswith(VECTORS["fingerprint"])
    )
