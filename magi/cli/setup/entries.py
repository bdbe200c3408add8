"""Entries in a JSON file of an agent client: put in, and taken out again, between whatever else is there (CLI-47).

Two kinds. A *named* entry is the value of a key: ``mcpServers.magi``. *Listed* entries are handlers in the lists below one key:
``hooks.Stop``, each bare or inside a group ``{"hooks": [...]}``. Keys keep their order, and what we do not know stays as it is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from magi.cli.setup.commands import is_ours
from magi.cli.setup.writing import FileChange, Unusable, backup_of, text_of

HOOKS: Final = "hooks"
_INDENT: Final = re.compile(r"\n([ \t]+)\S")


@dataclass(frozen=True, slots=True)
class Entries:
    """What one JSON file gets. ``frame`` are keys that the file must have, if it has them not."""

    path: Path
    named: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    listed: Mapping[str, Sequence[object]] = field(default_factory=dict)
    """Event -> what is put into its list below ``hooks``."""
    frame: Mapping[str, object] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def snippet(self) -> str:
        """Return a file with nothing but our entries."""
        return _dumped(self._with({}), "")

    def change(self, *, undo: bool) -> FileChange | None:
        """As :meth:`magi.cli.setup.writing.Piece.change`."""
        text = text_of(self.path)
        try:
            data = {} if text is None or not text.strip() else read(text)
        except ValueError as error:
            raise Unusable(f"{self.path} is no plain JSON ({error}). It was left alone.", self.snippet()) from None
        without = self._without(deepcopy(data))
        if not undo:
            wanted = self._with(data)
            return None if wanted == data else self._changed(text, wanted, backup=without == data)
        if without == data:
            return None
        return FileChange(self.path, text, self._left(without, text or ""), undo=True)

    def _changed(self, text: str | None, data: dict[str, Any], *, backup: bool) -> FileChange:
        return FileChange(self.path, text, _dumped(data, text or ""), backup=backup)

    # --- putting in --------------------------------------------------------------------------------------------------

    def _with(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data with our entries. Entries that are there as they should be stay where they are."""
        new = deepcopy(data)
        for key, value in self.frame.items():
            new.setdefault(key, value)
        for (above, name), entry in self.named.items():
            table = self._table(new, above)
            known = table.get(name)
            if known is not None and not is_ours(known, "mcp"):
                raise Unusable(f"{self.path} has an entry {above}.{name} of somebody else's. It was left alone.")
            table[name] = {**(known or {}), **entry}
        if self.listed and self._handlers(new) != [deepcopy(one) for group in self.listed.values() for one in group]:
            self._remove_handlers(new)
            hooks = self._table(new, HOOKS)
            for event, groups in self.listed.items():
                hooks[event] = [*self._list(hooks, event), *deepcopy(groups)]
        return new

    def _handlers(self, data: dict[str, Any]) -> list[Any]:
        """Return what is ours in all lists, in our order of events; entries in lists where they should not be come last."""
        hooks = self._table(deepcopy(data), HOOKS)
        events = [*self.listed, *(event for event in hooks if event not in self.listed)]
        return [one for event in events for one in self._list(hooks, event) if _holds_ours(one)]

    # --- taking out --------------------------------------------------------------------------------------------------

    def _without(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data without our entries; what is empty by that is gone too, unless it was so before us."""
        for above, name in self.named:
            table = data.get(above)
            if isinstance(table, dict) and is_ours(table.get(name), "mcp"):
                del table[name]
                self._prune(data, above)
        if self.listed:
            self._remove_handlers(data)
        return data

    def _remove_handlers(self, data: dict[str, Any]) -> None:
        hooks = data.get(HOOKS)
        if not isinstance(hooks, dict):
            return
        for event, groups in list(hooks.items()):
            if isinstance(groups, list) and any(map(_holds_ours, groups)):
                hooks[event] = [left for one in groups if (left := _left_of(one)) is not None]
                if not hooks[event] and not self._had(event):
                    del hooks[event]
        self._prune(data, HOOKS)

    def _prune(self, data: dict[str, Any], key: str) -> None:
        if data.get(key) == {} and key not in self._before():
            del data[key]

    def _left(self, data: dict[str, Any], like: str) -> str | None:
        """Return the text that stays after us: the one from before, if it says the same; ``None`` for a file that is only
        there because of us."""
        backup = text_of(backup_of(self.path))
        before = self._before()
        if not data.get(HOOKS):
            data = {key: value for key, value in data.items() if key in before or key not in self.frame}
        if backup is None:
            return _dumped(data, like) if data else None
        return backup if data == before else _dumped(data, like)

    def _before(self) -> dict[str, Any]:
        """Return what the file held before us, as far as it is known."""
        try:
            return read(text_of(backup_of(self.path)) or "{}")
        except (ValueError, Unusable):
            return {}

    def _had(self, event: str) -> bool:
        hooks = self._before().get(HOOKS)
        return isinstance(hooks, dict) and event in hooks

    # --- shapes ------------------------------------------------------------------------------------------------------

    def _table(self, data: dict[str, Any], key: str) -> dict[str, Any]:
        table = data.setdefault(key, {})
        if not isinstance(table, dict):
            raise Unusable(f"{self.path} has a key {key} that is no object. It was left alone.")
        return table

    def _list(self, hooks: dict[str, Any], event: str) -> list[Any]:
        groups = hooks.get(event, [])
        if not isinstance(groups, list):
            if event not in self.listed:
                return []
            raise Unusable(f"{self.path} has a key {HOOKS}.{event} that is no list. It was left alone.")
        return groups


def read(text: str) -> dict[str, Any]:
    """Read a JSON object that can be written again without loss.

    Raises:
        ValueError: It is none: it has comments, a key twice, or numbers that JSON does not have.
    """
    found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004  the text is wrong, not the call
    json.dumps(found, ensure_ascii=False).encode()  # a half of a surrogate pair cannot be written
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _dumped(data: Mapping[str, Any], like: str) -> str:
    """Write data with the indent and the line ends of the text that it replaces."""
    found = _INDENT.search(like)
    text = json.dumps(data, indent=found[1] if found else 2, ensure_ascii=False)
    text += "\n" if not like or like.endswith("\n") else ""
    return text.replace("\n", "\r\n") if "\r\n" in like else text


def _holds_ours(one: object) -> bool:
    """Tell whether something in a list is a handler of ours, or a group with one."""
    return _left_of(one) != one


def _left_of(one: object) -> object | None:
    """Return what stays of something in a list without us; ``None`` if nothing does."""
    if is_ours(one, "hook"):
        return None
    inner = one.get("hooks") if isinstance(one, dict) else None
    if not isinstance(inner, list):
        return one
    left = [handler for handler in inner if not is_ours(handler, "hook")]
    return {**one, "hooks": left} if left or not inner else None  # type: ignore[dict-item]  # it is a dict, see above
