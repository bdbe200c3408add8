"""The official client sees what the design says, in both eras of the protocol (MCP-1, MCP-2, MCP-6)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, MCPError

from magi.bridge.door import Door
from magi.bridge.endpoint import Endpoint, tool_of
from magi.bridge.front import Front
from magi.bridge.offer import offered
from magi.bridge.texts import INSTRUCTIONS, PROMPTS
from magi.bridge.tool import Session
from magi.bridge.waiting import Patience
from magi.client.errors import FriendAway, ProfileError
from tests.unit.magi.bridge.fake import ANSWERED, MODEL, NASTY, QUICK, FakeDesk, harmless, opening

ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])


@asynccontextmanager
async def connected(
    era: str, desk: object = None, *, patience: Patience = QUICK, **switches: bool
) -> AsyncIterator[Client]:
    """Connect the official client to an endpoint over streams in memory."""
    door = Door(opening(FakeDesk() if desk is None else desk))
    server = Endpoint(Front(door, Session(MODEL), patience), offered(**switches)).server()
    try:
        async with Client(server, mode=era, cache=None) as client:
            yield client
    finally:
        await door.close()


def compact(tools: list[types.Tool]) -> int:
    """Return how many bytes a list of tools takes as compact JSON."""
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return len(json.dumps({"tools": listed}, separators=(",", ":"), ensure_ascii=False).encode())


@ERAS
async def test_the_list_has_the_tools_of_this_run_and_needs_no_desk(era):
    refused = ProfileError("not set up")
    async with connected(era, refused) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert len(names) == 9
    assert names[-1] == "brainxchange_command"
    async with connected(era, refused, brainxchange=False, crowd=True) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert "brainxchange_command" not in names
    assert names[-5:] == [
        "discover_agents",
        "send_to_agent",
        "broadcast_message",
        "get_my_messages",
        "update_my_status",
    ]


@ERAS
async def test_hints_and_marks_arrive(era):
    async with connected(era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    leave = tools["magi_leave"].annotations
    assert leave is not None
    hints = (leave.read_only_hint, leave.destructive_hint, leave.idempotent_hint, leave.open_world_hint)
    assert hints == (False, True, True, False)
    marked = [name for name, tool in tools.items() if (tool.meta or {}).get("anthropic/alwaysLoad")]
    assert marked == ["magi_ask", "magi_inbox"]
    outside = [name for name, tool in tools.items() if tool.annotations and tool.annotations.open_world_hint]
    assert outside == ["magi_invite", "magi_connect", "magi_ask", "magi_answer", "brainxchange_command"]


def test_the_budget_is_kept():
    default = [tool_of(tool) for tool in offered().values()]
    crowd = [tool_of(tool) for tool in offered(crowd=True).values()][len(default) :]
    assert compact(default) <= 9_000
    assert compact(crowd) <= 4_500
    assert len(INSTRUCTIONS.encode()) <= 1_500
    assert all(len((tool.description or "").encode()) <= 1_500 for tool in default + crowd)


@ERAS
async def test_instructions_and_name_are_told(era):
    async with connected(era) as client:
        assert client.instructions == INSTRUCTIONS
        assert client.server_info.name == "magi"


@ERAS
async def test_a_call_has_text_and_data(era):
    async with connected(era, FakeDesk(wait=ANSWERED)) as client:
        result = await client.call_tool("magi_ask", {"to": "bob", "question": "Why?"})
    assert not result.is_error
    assert isinstance(result.content[0], types.TextContent)
    assert result.content[0].text.startswith("bob answered.")
    assert result.structured_content["answer"] == {"from": "bob", "untrusted_text": "Because."}


@ERAS
async def test_a_refusal_is_a_result_and_an_unknown_tool_an_error_of_the_protocol(era):
    async with connected(era, FakeDesk(ask=FriendAway("Bob is not connected"))) as client:
        result = await client.call_tool("magi_ask", {"to": "bob", "question": "Why?"})
        assert result.is_error
        with pytest.raises(MCPError, match="Unknown tool: magi_approve"):
            await client.call_tool("magi_approve", {})


@ERAS
async def test_a_call_that_waits_tells_its_progress_if_asked(era):
    told: list[tuple[float, str | None]] = []

    async def progress(so_far: float, _at_most: float | None, said: str | None) -> None:
        told.append((so_far, said))

    desk = FakeDesk(wait=asyncio.Event())
    async with connected(era, desk) as client:
        arguments = {"to": "bob", "question": "Why?", "wait_seconds": 50}
        result = await client.call_tool("magi_ask", arguments, progress_callback=progress)
        silent = await client.call_tool("magi_ask", arguments)
    assert (result.is_error, silent.is_error) == (False, False)
    assert told
    assert {said for _, said in told} == {"waiting for bob"}
    assert [so_far for so_far, _ in told] == sorted(so_far for so_far, _ in told)


@ERAS
async def test_resources_are_listed_and_read(era):
    async with connected(era) as client:
        listed = [one.uri for one in (await client.list_resources()).resources]
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        for address in [*listed, "magi://thread/q1"]:
            (content,) = (await client.read_resource(address)).contents
            assert isinstance(content, types.TextResourceContents)
            assert content.text
        with pytest.raises(MCPError, match="not found"):
            await client.read_resource("magi://approve")
    assert listed == ["magi://inbox", "magi://friends", "magi://help"]
    assert templates == ["magi://thread/{id}", "magi://text/{id}/{part}"]


@ERAS
async def test_prompts_are_listed_and_filled_in(era):
    async with connected(era) as client:
        listed = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in listed] == [prompt.name for prompt in PROMPTS]
        filled = await client.get_prompt("connect", {"code": "AB12CD"})
        assert "code AB12CD" in filled.messages[0].content.text
        with pytest.raises(MCPError, match="Missing argument: code"):
            await client.get_prompt("connect", {})
        with pytest.raises(MCPError, match="Unknown prompt"):
            await client.get_prompt("approve", {})


@ERAS
async def test_half_a_surrogate_pair_of_a_friend_does_not_break_the_line(era):
    hostile: Any = FriendAway(f"{NASTY} is not connected")
    async with connected(era, FakeDesk(ask=hostile)) as client:
        result = await client.call_tool("magi_ask", {"to": "bob", "question": "Why?"})
    assert harmless(result.content[0].text)
