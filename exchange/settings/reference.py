"""The settings as tables: the reference page, and the values of one start."""

from annotated_types import Ge, Le, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from exchange.settings.groups import Settings
from exchange.settings.sources import ALIASES, SETTINGS, Setting

HEAD = """# Settings

This page is printed by `magi-exchange settings --markdown`.

A setting is read from the command line, the environment, a TOML file (`--config` or `EXCHANGE_CONFIG_FILE`, one table a
group) and a secret file, in this order; the first that names it wins. An empty variable counts as not set. A name that
does not exist stops the start. A secret can be put into a file: add `_FILE` to its variable and give the path.
"""


def markdown() -> str:
    """Return the reference page: every setting with its default and bounds. The same on every machine."""
    parts = [HEAD]
    for group, outer in Settings.model_fields.items():
        parts.append(f"## {group}\n\n{(outer.annotation.__doc__ or '') if outer.annotation else ''}\n")
        lines = ["| variable | default | allowed | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{setting.variable}`{_also(setting)} | {_default(setting.field)} | {_allowed(setting.field)} "
            f"| {setting.field.description} |"
            for setting in SETTINGS.values()
            if setting.group == group
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def text(settings: Settings) -> str:
    """Return one line a setting: its variable and its value now. Secrets are masked; a star marks what was changed."""
    width = max(map(len, SETTINGS))
    lines = []
    for setting in SETTINGS.values():
        group: BaseModel = getattr(settings, setting.group)
        value = getattr(group, setting.name)
        star = "*" if value != setting.field.get_default(call_default_factory=True, validated_data={}) else " "
        lines.append(f"{star} {setting.variable:<{width}}  {_shown(settings, setting, value)}".rstrip())
    return "\n".join(lines) + "\n"


def _shown(settings: Settings, setting: Setting, value: object) -> str:
    if setting.variable == "EXCHANGE_REDIS__URL":
        return settings.redis.shown
    if setting.secret:
        return str(value)
    return _spelled(value)


def _spelled(value: object) -> str:
    """Write a value as a variable takes it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def _also(setting: Setting) -> str:
    return "".join(f", `{alias}`" for alias, other in ALIASES.items() if other == setting)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return (getattr(field.default_factory, "__doc__", "") or "").replace("``", "`")
    shown = _spelled(field.default)
    return f"`{shown}`" if shown else "empty"


def _allowed(field: FieldInfo) -> str:
    annotation = field.annotation
    words = getattr(annotation, "__args__", ())
    if words and all(isinstance(word, str) for word in words):
        return ", ".join(f"`{word}`" for word in words)
    low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    if low is not None and high is not None:
        return f"{_spelled(low)} to {_spelled(high)}"
    if bool in (annotation, *words):
        return "`true`, `false`"
    return "not empty" if any(isinstance(rule, MinLen) for rule in field.metadata) else ""
