"""What a tool is: its face towards the agent client, and the function behind it. Knows nothing of MCP's own library."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from magi.bridge.waiting import Patience, Progress, unseen
from magi.daemon.port import Caller, Desk

_UNSAID: Final = (None, "", False)
"""Defaults that go without saying."""


Text = Annotated[str, Meta(min_length=1)]


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The arguments of a tool. What has a default may be left out, or be ``null``."""


class Unusable(Exception):
    """The arguments of a call cannot be used. The message is a sentence for the model."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a tool returns: text for the model to read, and the same as data. ``is_error`` says that nothing came of it."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    is_error: bool = False


def refusal(said: str) -> Reply:
    """Return the reply of a tool that could not do it (MCP-5)."""
    return Reply(said, is_error=True)


@dataclass(frozen=True, slots=True)
class Session:
    """One agent client, for as long as it is connected."""

    caller: Caller
    read: set[str] = field(default_factory=set)
    """Ids of messages that it marked as read and that still wait for an answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool: on whose desk, in which session, and how to say that it takes time."""

    desk: Desk
    session: Session
    patience: Patience = field(default_factory=Patience)
    progress: Progress = unseen

    @property
    def caller(self) -> Caller:
        """On whose behalf."""
        return self.session.caller


@dataclass(frozen=True, slots=True)
class Tool:
    """One row of a table of tools (MCP-1)."""

    name: str
    description: str
    arguments: type[Arguments]
    run: Callable[[Call, Any], Awaitable[Reply]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False
    """Whether it reaches people outside (MCP-2)."""
    always_load: bool = False
    """Whether it must not hide behind a client's search for tools (MCP-2)."""
    refused: Callable[[str], Reply] = refusal
    pure: bool = False
    """Whether the text of its results is for programs, so that the line of MCP-4 stands in a text of its own."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments, without words that only cost tokens (MCP-6)."""
        _, definitions = msgspec.json.schema_components([self.arguments])
        schema = definitions[self.arguments.__name__]
        properties = {argument: _plain(one) for argument, one in schema["properties"].items()}
        required = {"required": schema["required"]} if schema.get("required") else {}
        return {"type": "object", "properties": properties, **required, "additionalProperties": False}

    def read(self, given: Mapping[str, Any]) -> Any:
        """Return the arguments of a call; ``"45"`` does for ``45``, and ``null`` for leaving out.

        Raises:
            Unusable: They break the schema.
        """
        said = {argument: value for argument, value in given.items() if value is not None}
        try:
            return msgspec.convert(said, self.arguments, strict=False)
        except msgspec.ValidationError as error:
            text, _, place = str(error).partition(" - at ")
            path = place.strip("`").removeprefix("$.") or "$"
            raise Unusable(f"Invalid arguments for {self.name}: {path}: {text}") from None


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one argument. That it may be ``null`` is not said: whoever reads it would send one for nothing."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**schema, **kinds[0]}
        del schema["anyOf"]
    if "enum" in schema:
        schema = {"type": "string", **schema}
    return {key: value for key, value in schema.items() if key != "default" or value not in _UNSAID}
