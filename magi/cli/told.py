"""What one session of an agent client was told already, so that it is told once (CLI-43, CLI-44).

Each session has a small file: a hook is a process of its own, and remembers nothing. Without the file a session that ignores a
question would be kept at work, or woken, for ever.
"""

import hashlib
import json
import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

IN_A_ROW_MOST: Final = 2
"""How often a turn is continued on end."""
IDS_MOST: Final = 1000
SETS_MOST: Final = 100
KEPT_SECONDS: Final = 7 * 24 * 3600.0


class Told:
    """What a session was told. Nothing is on the disk before :meth:`keep`."""

    def __init__(self, directory: Path, client: str, session: str) -> None:
        """Read what is known of a session; a file that is damaged is as good as none."""
        self._path = directory / f"{_digest(client, session)}.json"
        self._ids: list[str] = []
        self._sets: list[str] = []
        self._in_a_row = 0
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(self._path.read_bytes())
            self._ids, self._sets = list(map(str, known["ids"])), list(map(str, known["sets"]))
            self._in_a_row = int(known["in_a_row"])

    def acted(self) -> None:
        """Note that a person did something: whatever follows is not in a row with what was before."""
        self._in_a_row = 0

    def mention(self, keys: Collection[str]) -> bool:
        """Note that items were mentioned; tell whether any of them is news."""
        news = [key for key in keys if key not in self._ids]
        self._ids = [*self._ids, *news][-IDS_MOST:]
        return bool(news)

    def goes_on(self, keys: Collection[str]) -> bool:
        """Tell whether a turn that ends is to be continued for these items: once for each set, and twice in a row at most."""
        known = _digest(*sorted(keys))
        if not keys or known in self._sets or self._in_a_row >= IN_A_ROW_MOST:
            self._in_a_row = 0
            return False
        self._sets = [*self._sets, known][-SETS_MOST:]
        self._in_a_row += 1
        self.mention(keys)
        return True

    def keep(self) -> None:
        """Write it down, by rename: hooks of one session run at the same time.

        Raises:
            OSError: That is not possible. What cannot be remembered is not to be said.
        """
        said = {"ids": self._ids, "sets": self._sets, "in_a_row": self._in_a_row}
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(said, file)
        fresh.replace(self._path)


def forget_old(directory: Path, *, now: float | None = None) -> None:
    """Delete what is known of sessions that have been silent for a week."""
    until = (time.time() if now is None else now) - KEPT_SECONDS
    for path in directory.glob("*"):
        with suppress(OSError):  # another hook was faster
            if path.stat().st_mtime < until:
                path.unlink()


def _digest(*words: str) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]
