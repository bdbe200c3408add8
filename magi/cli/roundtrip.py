"""A question and its answer through the exchange, with a second user that is there for nothing else (CLI-48).

We ask and the second user answers, so no assistant here is told anything. The friendship is ended at once.
"""

import asyncio
import contextlib
from typing import Final

from magi.cli.finding import Finding
from magi.cli.statuses import Status, row_of
from magi.client.client import Client
from magi.client.errors import MagiError, NameTaken, Refused, TokenRefused
from magi.client.outbox import new_id
from magi.client.states import State
from magi.daemon.port import Caller, Desk, DeskError

STEP_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.05
LINK: Final = "round_trip"
QUESTION: Final = "Does a question of magi doctor arrive?"
NICKNAME: Final = "magi doctor"


async def round_trip(desk: Desk, caller: Caller, address: str) -> Finding:
    """Ask and be answered, over the exchange that our desk is connected to, and return how it went."""
    name = f"doctor-{new_id()}@magi.invalid"
    other = Client(address, name, nickname=NICKNAME)
    try:
        try:
            await other.open(wait_seconds=STEP_SECONDS)
        except (Refused, NameTaken, TokenRefused):
            said = "not tested: the exchange does not let strangers in, so there is no second user"
            return Finding(LINK, said, tested=False)
        return await _exchange(desk, caller, other)
    except TimeoutError:
        said = f"The exchange was silent for {STEP_SECONDS:g} s in the middle of a round trip."
        return Finding(LINK, said, Status.AWAY, "Try again; tell whoever runs it if it stays so.")
    except (MagiError, DeskError) as fault:
        row = row_of(fault)
        return Finding(LINK, f"The round trip failed: {fault}", row.status, row.advice)
    finally:
        await other.close(flush_seconds=0)


async def _exchange(desk: Desk, caller: Caller, other: Client) -> Finding:
    """Invite, connect, ask, answer, and leave again, whatever happens.

    Raises:
        TimeoutError: A step took too long. MagiError, DeskError: It failed.
    """
    invite = await desk.invite()
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await other.connect(invite.code)
            while all(one.username != other.username for one in await desk.friends()):  # noqa: ASYNC110  news of the wire
                await asyncio.sleep(LOOK_SECONDS)
        asked = await desk.ask(other.username, QUESTION, caller=caller, expires_seconds=60.0)
        if asked.state == State.HELD_HERE:
            await desk.withdraw(asked.id)
            return Finding(
                LINK, "not tested: you have paused magi, so nothing leaves. To go on: magi pause --off", tested=False
            )
        async with asyncio.timeout(STEP_SECONDS), contextlib.aclosing(other.questions()) as questions:
            await (await anext(questions)).answer("yes")
        view = await desk.wait(asked.id, STEP_SECONDS)
    finally:
        with contextlib.suppress(MagiError, DeskError):  # if the friend is not there, nothing is to be left
            await desk.unfriend(other.username)
    if view.state == State.ANSWERED:
        return Finding(LINK, "a question went out, and its answer came back")
    said = f"A question was answered, but here it is still: {view.said}."
    return Finding(LINK, said, Status.AWAY, "Try again; tell whoever runs the exchange if it stays so.")
