"""The file ``token.json``: the resume tokens of a name (CLI-6). Whoever has one has the name until the next is given out."""

from pathlib import Path

import msgspec

from magi.client.errors import ProfileError
from magi.client.model import Tokens
from magi.desk import private


def read(path: Path) -> Tokens:
    """Return the tokens; empty ones if there is no file.

    Raises:
        ProfileError: Others can read it, or it is damaged.
    """
    found = private.read(path)
    if found is None:
        return Tokens()
    try:
        return msgspec.json.decode(found, type=Tokens)
    except msgspec.DecodeError as error:
        raise ProfileError(
            f"{path} is damaged. Restore a copy, or delete it: the name is then claimed anew."
        ) from error


def keep(path: Path, token: str) -> None:
    """Make a token the current one; on the disk when this returns. A repeat changes nothing.

    Raises:
        ProfileError: It cannot be written. The old ones stay.
    """
    known = read(path)
    if token != known.current:
        private.write(path, msgspec.json.encode(Tokens(token, known.current)))


def drop(path: Path) -> None:
    """Forget all tokens."""
    private.remove(path)
