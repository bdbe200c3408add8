"""Who may set what, and who did (CLI-20): a flag, else the environment, else ``config.toml``, else the default."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi.client import addresses
from magi.desk import config
from magi.desk.config import Config
from magi.desk.places import DEFAULT_PROFILE, Places


@dataclass(frozen=True, slots=True)
class Setting:
    """Where one setting may come from, in order. ``key`` is its place in ``config.toml``, empty if it has none there."""

    name: str
    flag: str
    variables: tuple[str, ...]
    key: str
    default: object
    read: Callable[[Any], object] = str
    """Makes the value of a flag's, a variable's or the file's."""


def _yes(value: object) -> bool:
    return str(value).strip().lower() not in ("", "0", "false", "no")


def _servers(value: str | Sequence[str]) -> tuple[str, ...]:
    return addresses.listed(value)


SETTINGS = (
    Setting("profile", "--profile", ("MAGI_PROFILE",), "", DEFAULT_PROFILE),
    Setting("home", "", ("MAGI_HOME",), "", ""),
    Setting("servers", "--server", ("MAGI_SERVER", "BRAINXCHANGE_SERVER"), "servers", (), _servers),
    Setting("username", "--username", ("MAGI_USERNAME",), "username", ""),
    Setting("nickname", "--nickname", ("MAGI_NICKNAME",), "nickname", ""),
    Setting("direct", "--direct", ("MAGI_DIRECT",), "", False, _yes),
    Setting("log", "", ("MAGI_LOG",), "", "info"),
)

VARIABLES = frozenset(variable for setting in SETTINGS for variable in setting.variables)


@dataclass(frozen=True, slots=True)
class Origin:
    """A value and where it comes from, in words for people: ``flag --server``, ``environment MAGI_SERVER``, ..."""

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is set for one run. ``table`` holds every value with its origin, by name or dotted key."""

    places: Places
    config: Config
    servers: tuple[str, ...]
    username: str
    nickname: str
    direct: bool
    log: str
    table: Mapping[str, Origin]
    warnings: tuple[str, ...]


def settle(flags: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return what holds for this run. ``flags`` are by the names of :data:`SETTINGS`; empty ones were not given.

    Raises:
        ProfileError: A value makes no sense; the message says where it comes from or which key of the file it is.
    """
    given = {name: value for name, value in (flags or {}).items() if value}
    profile = str(_chosen(SETTINGS[0], given, environment, {}, "").value)
    places = Places.of(profile, environment)
    file = config.read(places.settings)
    said = Config.of(file)
    values = {one.name: _chosen(one, given, environment, file, str(places.settings)) for one in SETTINGS}
    return Settings(
        places=places,
        config=said,
        servers=_as_tuple(values["servers"].value),
        username=str(values["username"].value),
        nickname=str(values["nickname"].value),
        direct=bool(values["direct"].value),
        log=str(values["log"].value),
        table={**values, **_of_file(said, file, places.settings)},
        warnings=_warnings(environment, said, places.settings),
    )


def _chosen(
    setting: Setting, flags: Mapping[str, object], environment: Mapping[str, str], file: Mapping[str, Any], path: str
) -> Origin:
    if setting.name in flags:
        return Origin(setting.read(flags[setting.name]), f"flag {setting.flag}")
    for variable in setting.variables:
        if environment.get(variable):
            return Origin(setting.read(environment[variable]), f"environment {variable}")
    if setting.key and file.get(setting.key):
        return Origin(setting.read(file[setting.key]), f"file {path}")
    return Origin(setting.default, "default")


def _of_file(said: Config, file: Mapping[str, Any], path: Path) -> dict[str, Origin]:
    """Return the settings that only the file can hold."""
    values: dict[str, object] = {
        "consent.default": said.default_mode.value,
        "responder.command": said.responder.command,
        "responder.friends": said.responder.friends,
        "daemon.keep": said.keep,
        **{f"limits.{name}": getattr(said.limits, name) for name in config.Limits.__slots__},
    }
    return {key: Origin(value, f"file {path}" if _is_in(file, key) else "default") for key, value in values.items()}


def _is_in(file: Mapping[str, Any], key: str) -> bool:
    table, _, name = key.partition(".")
    return name in file.get(table, {})


def _warnings(environment: Mapping[str, str], said: Config, path: Path) -> tuple[str, ...]:
    strange = sorted(name for name in environment if name.startswith("MAGI_") and name not in VARIABLES)
    return (
        *(f"The variable {name} means nothing to magi." for name in strange),
        *(f"The setting {key} in {path} means nothing to this version." for key in said.unknown),
    )


def _as_tuple(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, tuple) else ()
