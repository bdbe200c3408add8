"""The wait for an answer, with what is true meanwhile (CLI-30)."""

import asyncio
from collections.abc import Callable

from magi.cli.output import Output
from magi.client.states import State
from magi.daemon.port import AskView, Desk, Status

STEP_SECONDS = 1.0
"""How often the state is looked at and shown."""
RECEIPT_SECONDS = 5.0
"""How long to wait for the exchange to take a message, before saying that it is not sent yet."""

GLANCE_SECONDS = 3.0
"""How long a command that only looks waits for a connection that is being made."""
LOOK_SECONDS = 0.1
"""How often the connection is looked at while it is being made."""


def is_final(ask: AskView) -> bool:
    """Tell whether nothing can change any more, or the owner has to act first."""
    return State(ask.state).final or ask.state == State.HELD_HERE


def is_sent(ask: AskView) -> bool:
    """Tell whether the exchange has said something about it."""
    return ask.state != State.PENDING


async def watch(desk: Desk, ask: AskView, seconds: float, out: Output, until: Callable[[AskView], bool]) -> AskView:
    """Return a message once ``until`` is true of it, or as it stands after ``seconds``. Cancelling changes nothing."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with out.spinner() as show:
        while not until(ask) and (waited := loop.time() - begin) < seconds:
            show(f"{ask.said}, {waited:.0f} s")
            ask = await desk.wait(ask.id, min(STEP_SECONDS, seconds - waited))
    return ask


async def settled(desk: Desk, seconds: float) -> Status:
    """Return how it stands once the exchange has said yes or no, or after ``seconds``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    status = await desk.status()
    while status.connection == "connecting" and loop.time() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        status = await desk.status()
    return status
