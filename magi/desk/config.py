"""The file ``config.toml``: what an owner set for a profile. Nothing secret is in it.

::

    servers = ["wss://a.example.com/"]
    username = "alice@example.com"
    nickname = "Alice"

    [consent]
    default = "ask"                         # the mode of a new friend: ask, auto, mute

    [responder]
    command = ["claude", "--print"]         # for everybody; none if empty
    [responder.friends]
    "bob@example.com" = ["./answer-bob"]    # for one friend, by username

    [limits]
    inbox_bytes = 209715200                 # of all open messages together

    [daemon]
    keep = "auto"                           # or "always"

Keys that this version does not know are kept and warned about: a newer one may have written them.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from magi.client.errors import ProfileError
from magi.desk import private, toml
from magi.desk.ports import Mode

Keep = Literal["auto", "always"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the owner gives. Limits that protect friends are no settings (:mod:`magi.desk.limits`)."""

    inbox_bytes: int = 200 << 20
    """Of all open messages together (CLI-11)."""


@dataclass(frozen=True, slots=True)
class Responder:
    """The commands that may answer; empty ones are off (CLI-40)."""

    command: tuple[str, ...] = ()
    friends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def for_friend(self, username: str) -> tuple[str, ...]:
        """Return the command for a friend: its own, else the one for everybody."""
        return self.friends.get(username, self.command)


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says; the defaults where it says nothing. ``unknown`` are its keys with no meaning here, dotted."""

    servers: tuple[str, ...] = ()
    username: str = ""
    nickname: str = ""
    default_mode: Mode = Mode.ASK
    responder: Responder = field(default_factory=Responder)
    limits: Limits = field(default_factory=Limits)
    keep: Keep = "auto"
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Config":
        """Return what a table says.

        Raises:
            ProfileError: A value is not of the type or words that its key takes.
        """
        taken = _Taken(table)
        limits = {one.name: taken.take(f"limits.{one.name}", int, one.default) for one in fields(Limits)}
        if wrong := [name for name, value in limits.items() if value <= 0]:
            raise ProfileError(f"limits.{wrong[0]} is {limits[wrong[0]]}. It must be above 0.")
        return cls(
            servers=taken.take("servers", tuple[str, ...], ()),
            username=taken.take("username", str, ""),
            nickname=taken.take("nickname", str, ""),
            default_mode=taken.take("consent.default", Mode, Mode.ASK),
            responder=Responder(
                taken.take("responder.command", tuple[str, ...], ()),
                taken.take("responder.friends", dict[str, tuple[str, ...]], {}),
            ),
            limits=Limits(**limits),
            keep=taken.take("daemon.keep", Keep, "auto"),
            unknown=taken.unknown(),
        )


KEYS = frozenset(
    {"servers", "username", "nickname", "consent.default", "responder.command", "responder.friends", "daemon.keep"}
    | {f"limits.{one.name}" for one in fields(Limits)}
)
"""Every key that has a meaning, dotted."""


def read(path: Path) -> dict[str, Any]:
    """Return the table of a file; an empty one if there is no file.

    Raises:
        ProfileError: It is no TOML, or cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path} is not valid TOML: {error}. Mend that line, or move the file away.") from error
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}.") from error


def change(path: Path, changes: Mapping[str, object]) -> Config:
    """Set keys (dotted; ``None`` removes one), keep all others, and return what the file says now.

    Raises:
        ProfileError: It would say nonsense, or cannot be written; it is as it was.
    """
    table = read(path)
    for key, value in changes.items():
        if key not in KEYS:
            raise ProfileError(f"There is no setting {key}.")
        _place(table, key.split("."), value)
    config = Config.of(table)
    private.write(path, toml.written(table).encode())
    return config


def _place(table: dict[str, Any], path: list[str], value: object) -> None:
    *above, last = path
    for name in above:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ProfileError(f"{name} must be a table.")
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value


class _Taken:
    """A table of which one key after the other is taken; what is left over is unknown."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table

    def take(self, key: str, kind: Any, default: Any) -> Any:
        """Return the value of a dotted key as ``kind``."""
        value: Any = self._table
        for name in key.split("."):
            if not isinstance(value, Mapping):
                raise ProfileError(f"{key.rpartition('.')[0]} must be a table.")
            if name not in value:
                return default
            value = value[name]
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            words = get_args(kind) or (tuple(kind) if kind is Mode else ())
            hint = f" It is one of: {', '.join(map(str, words))}." if kind in (Mode, Keep) else ""
            raise ProfileError(f"The setting {key} is wrong: {error}.{hint}") from error

    def unknown(self) -> tuple[str, ...]:
        """Return all keys that have no meaning."""
        tables = {key.split(".")[0] for key in KEYS if "." in key}
        found = []
        for name, value in self._table.items():
            if name in tables and isinstance(value, Mapping):
                found += [f"{name}.{inner}" for inner in value if f"{name}.{inner}" not in KEYS]
            elif name not in KEYS:
                found.append(name)
        return tuple(found)
