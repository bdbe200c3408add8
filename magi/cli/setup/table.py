"""One table in a TOML file, changed as text: comments and the order of everything else stay (CLI-47).

The text is cut at lines that look like headers, which a string over several lines can do too. So nothing is taken on trust: the
new text is read again, and unless it says exactly what the old one said, with our table changed, the file is left alone.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from magi.cli.setup.commands import is_ours
from magi.cli.setup.writing import FileChange, Unusable, backup_of, text_of
from magi.desk import toml

_HEADER: Final = re.compile(r"\s*\[")
_EMPTY: Final = re.compile(r"\s*(#.*)?")


@dataclass(frozen=True, slots=True)
class Table:
    """What one TOML file gets: the table ``[above.name]`` with these keys. Keys that the owner adds to it stay."""

    path: Path
    above: str
    name: str
    keys: Mapping[str, object]

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def snippet(self) -> str:
        """Return the table."""
        return toml.written({self.above: {self.name: self.keys}})

    def change(self, *, undo: bool) -> FileChange | None:
        """As :meth:`magi.cli.setup.writing.Piece.change`."""
        text = text_of(self.path)
        try:
            before = tomllib.loads(text or "")
        except tomllib.TOMLDecodeError as error:
            raise Unusable(f"{self.path} is no TOML ({error}). It was left alone.", self.snippet()) from None
        tables = before.get(self.above, {})
        if not isinstance(tables, dict):
            raise Unusable(f"{self.path} has a key {self.above} that is no table. It was left alone.", self.snippet())
        known = tables.get(self.name)
        if known is not None and not is_ours(known, "mcp"):
            if undo:
                return None
            raise Unusable(f"{self.path} has a table {self.above}.{self.name} of somebody else's. It was left alone.")
        if (known is None) if undo else self._is_there(known):
            return None
        after = self._without(text or "") if undo else self._with(text or "", known)
        self._check(after, before, undo=undo)
        if undo:
            return FileChange(self.path, text, self._left(after), undo=True)
        return FileChange(self.path, text, after, backup=known is None)

    def _is_there(self, known: Mapping[str, object] | None) -> bool:
        return known is not None and all(known.get(key) == value for key, value in self.keys.items())

    # --- text --------------------------------------------------------------------------------------------------------

    def _with(self, text: str, known: object) -> str:
        """Return the text with our table: in the place of the old one, else at the end."""
        end = "\r\n" if "\r\n" in text else "\n"
        fresh = self.snippet().rstrip("\n").replace("\n", end) + end
        lines = text.splitlines(keepends=True)
        place = None if known is None else self._place(lines, own=True)
        if place is None:
            gap = "" if not text else end if text.endswith("\n") else end * 2
            return f"{text}{gap}{fresh}"
        start, stop = place
        own = re.compile(rf"\s*({'|'.join(map(re.escape, self.keys))})\s*=")
        added = [line for line in lines[start + 1 : stop] if not own.match(line)]
        return "".join([*lines[:start], fresh, *added, *lines[stop:]])

    def _without(self, text: str) -> str:
        """Return the text without our table and the tables below it, for those mean nothing alone."""
        lines = text.splitlines(keepends=True)
        while (place := self._place(lines, own=False)) is not None:
            start, stop = place
            # The empty line above came with us.
            start -= 1 if start and not lines[start - 1].strip() else 0
            del lines[start:stop]
        return "".join(lines)

    def _place(self, lines: list[str], *, own: bool) -> tuple[int, int] | None:
        """Return where our table begins and ends; not ``own``: or else one below it."""
        below = "" if own else r"(\..*)?"
        header = re.compile(rf"\s*\[\s*{_key(self.above)}\s*\.\s*{_key(self.name)}\s*{below}\]\s*(#.*)?$")
        start = next((number for number, line in enumerate(lines) if header.match(line)), None)
        if start is None:
            return None
        stop = next((n for n in range(start + 1, len(lines)) if _HEADER.match(lines[n])), len(lines))
        while stop > start + 1 and _EMPTY.fullmatch(lines[stop - 1].rstrip("\r\n")):
            stop -= 1  # what stands before the next header belongs to that
        return start, stop

    def _left(self, text: str) -> str | None:
        """Return the text that stays after us, with the line ends at its end as they were; ``None`` for a file that is only
        there because of us."""
        backup = text_of(backup_of(self.path))
        if backup is None:
            return text if text.strip() else None
        return backup if text.rstrip() == backup.rstrip() else text

    # --- meaning -----------------------------------------------------------------------------------------------------

    def _check(self, text: str, before: dict[str, Any], *, undo: bool) -> None:
        """Raise, unless a new text says what it should."""
        tables = dict(before.get(self.above, {}))
        known = tables.pop(self.name, {})
        wanted = {**before, self.above: tables}
        if not undo:
            tables[self.name] = {**known, **self.keys}
        if not tables:
            del wanted[self.above]
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            found = None
        if found is not None and found.get(self.above) == {} and self.above not in wanted:
            del found[self.above]  # an empty header of the owner's
        if found != wanted:
            raise Unusable(
                f"{self.path} is written in a way that magi cannot change. It was left alone.", self.snippet()
            )


def _key(key: str) -> str:
    bare = re.escape(key)
    return f"(?:{bare}|\"{bare}\"|'{bare}')"
