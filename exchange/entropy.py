"""The only place where randomness enters: ids, tokens and invitation codes, from the operating system's source."""

import hmac
import os
import secrets

from exchange.core.ids import CODE_ALPHABET, ID_BYTES, spell

TOKEN_BYTES = 32


def new_id() -> str:
    """Return 128 fresh random bits as 26 characters of ``a-z2-7``: client, connection and user ids, nonces."""
    return spell(os.urandom(ID_BYTES))


def new_token() -> str:
    """Return a resume token (MAGI-46): 256 fresh random bits as 52 characters of ``a-z2-7``."""
    return spell(os.urandom(TOKEN_BYTES))


def new_pairing_token() -> str:
    """Return a pairing token (CORAL-31): 128 fresh random bits as 32 hexadecimal digits, behind what tells it is one."""
    return "oc_pair_" + secrets.token_hex(16)


def new_code(characters: int) -> str:
    """Return an invitation code (MAGI-29). ``secrets.choice`` samples by rejection: every code is equally likely."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(characters))


def derived_code(uid: str, message_id: str, characters: int, turn: int = 0) -> str:
    """Return the invitation code that belongs to one request, so that a repeat can be answered without storing it.

    ``turn`` asks for another one, if those before it were in use. They are as hard to guess as the uid, which is random
    and never shown, and the message id, which is never stored.
    """
    digest = hmac.digest(f"{uid}\0{message_id}\0{turn}".encode(), b"invitation code", "sha256")
    number = int.from_bytes(digest)  # 256 bits over 36 ** 16: no code is noticeably likelier than another
    code = ""
    for _ in range(characters):
        number, place = divmod(number, len(CODE_ALPHABET))
        code += CODE_ALPHABET[place]
    return code
