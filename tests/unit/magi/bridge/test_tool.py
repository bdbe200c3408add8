"""Arguments are read as meant, or refused in a sentence; schemas hold no word too many (MCP-5, MCP-6)."""

from typing import Annotated, Literal

import pytest
from msgspec import Meta

from magi.bridge.tool import Arguments, Reply, Tool, Unusable


class Given(Arguments, frozen=True):
    to: Annotated[str | list[str], Meta(description="Who")]
    seconds: float = 45.0
    how: Literal["fast", "slow"] | None = None
    loud: bool = False


async def nothing(_call: object, _given: Given) -> Reply:
    return Reply("done")


TOOL = Tool("magi_test", "Test.", Given, nothing)


def test_a_schema_says_what_there_is_and_refuses_what_is_not():
    assert TOOL.schema == {
        "type": "object",
        "properties": {
            "to": {"description": "Who", "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            "seconds": {"type": "number", "default": 45.0},
            "how": {"type": "string", "enum": ["fast", "slow"]},
            "loud": {"type": "boolean"},
        },
        "required": ["to"],
        "additionalProperties": False,
    }


def test_null_is_as_good_as_leaving_out_and_a_number_may_be_in_quotes():
    assert TOOL.read({"to": "bob", "how": None, "seconds": "7"}) == Given(to="bob", seconds=7.0)


@pytest.mark.parametrize(
    ("given", "path"),
    [({}, "to"), ({"to": 1}, "to"), ({"to": "bob", "how": "loud"}, "how"), ({"to": "bob", "approve": True}, "approve")],
)
def test_arguments_that_break_the_schema_are_refused_and_named(given, path):
    with pytest.raises(Unusable, match=f"^Invalid arguments for magi_test: .*{path}"):
        TOOL.read(given)
