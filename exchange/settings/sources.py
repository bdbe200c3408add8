"""Where settings come from: command line > environment > TOML file > secret files > defaults (OPS-1 to OPS-3).

Every name that looks like one of ours is compared with the names we know, so a misspelling stops the start.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from exchange.refusal import StartRefused
from exchange.settings.groups import Settings

PREFIX = "EXCHANGE_"
CONFIG_FILE = "EXCHANGE_CONFIG_FILE"
"""Variable that names the TOML file."""

Values = Mapping[str, Mapping[str, object]]
"""Settings by group and name."""


class Setting(NamedTuple):
    """One setting: its place, its variable and its field."""

    group: str
    name: str
    variable: str
    field: FieldInfo

    @property
    def secret(self) -> bool:
        """Never shown, and may be read from the file that the variable with ``_FILE`` names."""
        return self.field.annotation is SecretStr


def _all() -> Iterable[Setting]:
    for group, outer in Settings.model_fields.items():
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, BaseModel):
            for name, field in outer.annotation.model_fields.items():
                yield Setting(group, name, f"{PREFIX}{group}__{name}".upper(), field)


SETTINGS: dict[str, Setting] = {setting.variable: setting for setting in _all()}
"""Every setting by its variable, in the order of the groups."""

SECRET_FILES: dict[str, Setting] = {f"{name}_FILE": setting for name, setting in SETTINGS.items() if setting.secret}
ALIASES: dict[str, Setting] = {
    "PORT": SETTINGS["EXCHANGE_LISTEN__PORT"],
    "LOG_FORMAT": SETTINGS["EXCHANGE_LOG__FORMAT"],
    "RELAY_ADMIN_KEY": SETTINGS["EXCHANGE_RELAY__ADMIN_KEY"],
}
"""Names that the original programs used (WIRE-4)."""

VARIABLES = frozenset({*SETTINGS, *SECRET_FILES, CONFIG_FILE})
"""Every variable with our prefix that has a meaning."""

# Kubernetes describes each Service of the namespace to each container; one called "exchange" makes names like ours.
_SERVICE_LINK = re.compile(r"EXCHANGE(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_SERVICE_ADDRESS = ("tcp://", "udp://", "sctp://")


def load(environ: Mapping[str, str], options: Values | None = None, *, config: Path | None = None) -> Settings:
    """Return the settings.

    Args:
        environ: The environment. An empty variable counts as not set.
        options: What the command line says; ``None`` as a value counts as not said.
        config: TOML file with one table a group. Default: the file that ``EXCHANGE_CONFIG_FILE`` names, if any.

    Raises:
        StartRefused: A name is unknown, a value is out of bounds, two names disagree, or a file cannot be read.
    """
    environ = {name: value for name, value in environ.items() if value}
    _refuse_unknown(environ)
    if config is None and CONFIG_FILE in environ:
        config = Path(environ[CONFIG_FILE])
    layers: list[tuple[str, Values]] = [
        ("the secret file", _secrets(environ)),
        (f"the file {config}", _toml(config) if config else {}),
        ("the environment", _environment(environ)),
        ("the command line", options or {}),
    ]
    merged: dict[str, dict[str, object]] = {}
    origins: dict[tuple[object, ...], str] = {}
    for origin, values in layers:
        for group, fields in values.items():
            for name, value in fields.items():
                if value is not None:
                    merged.setdefault(group, {})[name] = value
                    origins[group, name] = origin
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise StartRefused(_sentence(error, origins)) from None


def _sentence(error: ValidationError, origins: Mapping[tuple[object, ...], str]) -> str:
    """Say what is wrong first. The value is left out: it may be a secret."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    text = first["msg"].removeprefix("Value error, ")
    place = first["loc"][:2]
    if len(place) < 2:
        return f"{text}."
    return f"{PREFIX}{place[0]}__{place[1]}".upper() + f" from {origins.get(place, 'its default')} is unusable: {text}."


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in VARIABLES:
            continue
        if _SERVICE_LINK.fullmatch(name) or value.startswith(_SERVICE_ADDRESS):
            continue
        raise StartRefused(f"There is no setting {name}{_nearest(name, VARIABLES)}.")


def _nearest(name: str, known: Iterable[str]) -> str:
    # Who forgets the group means the first one that has this name: EXCHANGE_PORT is the port clients use.
    matches = [variable for variable, setting in SETTINGS.items() if name == f"{PREFIX}{setting.name}".upper()]
    matches = matches or get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; the nearest name is {matches[0]}" if matches else ""


def _environment(environ: Mapping[str, str]) -> Values:
    values: dict[str, dict[str, object]] = {}
    for alias, setting in ALIASES.items():
        if alias in environ:
            if environ.get(setting.variable, environ[alias]) != environ[alias]:
                raise StartRefused(f"{alias} and {setting.variable} are both set and differ; set one of them.")
            values.setdefault(setting.group, {})[setting.name] = environ[alias]
    for variable, setting in SETTINGS.items():
        if variable in environ:
            values.setdefault(setting.group, {})[setting.name] = environ[variable]
    return values


def _secrets(environ: Mapping[str, str]) -> Values:
    values: dict[str, dict[str, object]] = {}
    for variable, setting in SECRET_FILES.items():
        if variable in environ:
            try:
                text = Path(environ[variable]).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise StartRefused(f"The file that {variable} names cannot be read: {_reason(error)}.") from None
            values.setdefault(setting.group, {})[setting.name] = text.strip()
    return values


def _toml(path: Path) -> Values:
    try:
        groups = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartRefused(f"The settings file {path} cannot be read: {_reason(error)}.") from None
    known = {f"{setting.group}.{setting.name}" for setting in SETTINGS.values()}
    for group, fields in groups.items():
        names = [f"{group}.{name}" for name in fields] if isinstance(fields, dict) else [group]
        for name in names:
            if name not in known:
                raise StartRefused(f"There is no setting {name}, which the file {path} sets{_nearest(name, known)}.")
    return groups


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
