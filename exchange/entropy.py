"""The only place where randomness enters: ids and invitation codes, from the operating system's source."""

import os
import secrets

from exchange.core.ids import CODE_ALPHABET, ID_BYTES, spell


def new_id() -> str:
    """Return 128 fresh random bits as 26 characters of ``a-z2-7``: client, connection and user ids, nonces."""
    return spell(os.urandom(ID_BYTES))


def new_code(characters: int) -> str:
    """Return an invitation code (MAGI-29). ``secrets.choice`` samples by rejection: every code is equally likely."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(characters))
