"""Two desks and a scripted exchange between them, all real but the exchange."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from magi.daemon.local import opened
from magi.daemon.office import Office
from magi.daemon.port import Caller, Desk, Inbox
from magi.daemon.protocol import PROTOCOL, Hello
from magi.desk.profile import Profile
from magi.testing import ScriptedExchange
from tests.harness.waiting import WAIT_SECONDS, eventually

OWNER = Caller()
MODEL = Caller("mcp", "model", "s1")
OTHER = Caller("mcp", "model", "s2")


def profile(root: Path, name: str, address: str) -> Profile:
    """Make a profile whose user has its name."""
    said = {"profile": name, "username": name, "nickname": name.title(), "servers": (address,)}
    return Profile.create(said, {"MAGI_HOME": str(root)})


def hello(caller: Caller) -> Hello:
    """Return how the face of a caller introduces itself."""
    return Hello(PROTOCOL, "0.1.0", caller.face, "", caller.session)


@asynccontextmanager
async def two_offices(
    root: Path, *names: str, **options: object
) -> AsyncIterator[tuple[ScriptedExchange, list[Office]]]:
    """Give a running exchange and the offices of these users, all friends of the first one and connected."""
    async with AsyncExitStack() as ends:
        exchange = await ends.enter_async_context(ScriptedExchange(**options))
        for other in names[1:]:
            await exchange.pair(names[0], other)
        offices = []
        for name in names:
            office = await ends.enter_async_context(opened(profile(root, name, exchange.address), daemon=True))
            offices.append(office)
        for name in names:
            await exchange.arrival(name)
        for office in offices:
            await eventually(lambda office=office: connected(office))
        yield exchange, offices


async def connected(office: Office) -> bool:
    """Tell whether an office has a line and knows its friends."""
    return (await office.status()).connection == "connected" and bool(await office.friends())


async def comes(desk: Desk, caller: Caller, **options: object) -> Inbox:
    """Wait until something is in the inbox and return it."""
    found = await desk.inbox(caller=caller, wait_seconds=WAIT_SECONDS, **options)
    assert found.items, "nothing came"
    return found
