"""``magi mcp``: the bridge on stdin and stdout (MCP-1).

The official library is an extra of ours, so it is loaded only when the bridge runs. It sees from the first request which era of
the protocol a client speaks. Lists need no desk, which opens meanwhile. stdout belongs to the library: whatever else is printed
in this process goes to stderr.
"""

import asyncio
import contextlib
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from magi.bridge.door import Door
from magi.bridge.front import Front
from magi.bridge.offer import offered
from magi.bridge.tool import Session, Tool
from magi.daemon.port import Caller, Desk

# The library takes a second to load, and may not be there.
# ruff: noqa: PLC0415

NOT_SET_UP_STATUS: Final = 9
WITHOUT_EXTRA: Final = "magi: this installation has no MCP bridge. To add it: pip install 'magi-exchange[mcp]'\n"

OpenDesk = Callable[[], AbstractAsyncContextManager[Desk]]


def main(profile: str = "", brainxchange: bool = True, crowd: bool = False, **flags: object) -> None:
    """Serve one client until it closes stdin.

    Args:
        profile: Which profile; empty for the one that environment and default say. While it is not set up, the tools say how
            to do that.
        brainxchange: Whether there is ``brainxchange_command``.
        crowd: Whether there is the crowd family.
        flags: Further settings for this run, as :func:`magi.desk.settings.settle` takes them; empty ones are not set.

    Raises:
        SystemExit: The extra is not installed; status 9.
    """
    try:
        import mcp.server.stdio  # noqa: F401  whether it is there
    except ModuleNotFoundError:
        sys.stderr.write(WITHOUT_EXTRA)
        raise SystemExit(NOT_SET_UP_STATUS) from None
    session = Session(Caller(face="mcp", origin="model", session=f"mcp-{os.getpid()}-{uuid.uuid4().hex[:8]}"))
    settings = {name: value for name, value in {**flags, "profile": profile}.items() if value}
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(lambda: desk_of(settings, session.caller), session, offered(brainxchange, crowd)))


@contextlib.asynccontextmanager
async def desk_of(settings: Mapping[str, object], caller: Caller) -> AsyncIterator[Desk]:
    """Give the desk of the profile that ``settings`` say.

    Raises:
        ProfileError: It is not set up, and the message says how to do that; or it cannot be used.
        DeskError: Its desk cannot be had. Others as of :func:`magi.daemon.start.desk`.
    """
    from magi.daemon import start
    from magi.desk.profile import Profile

    profile = Profile.load(settings)
    async with start.desk(profile, face=caller.face, session=caller.session, direct=profile.settings.direct) as desk:
        yield desk


async def serve(open_desk: OpenDesk, session: Session, tools: dict[str, Tool]) -> None:
    """Serve one client on stdin and stdout until it closes stdin."""
    from mcp.server.stdio import stdio_server

    from magi.bridge.endpoint import Endpoint

    door = Door(open_desk)
    server = Endpoint(Front(door, session), tools).server()
    # Descriptor 1 is stderr inside; but what print() has buffered would leave after it is stdout again.
    async with stdio_server() as (read_stream, write_stream):
        door.knock()
        with contextlib.redirect_stdout(sys.stderr):
            try:
                await server.run(read_stream, write_stream, server.create_initialization_options())
            finally:
                await door.close()
