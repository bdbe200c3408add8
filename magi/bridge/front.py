"""Where calls come in: each becomes a reply, with the line that says what waits, whatever happens at the desk."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from magi.bridge import pages
from magi.bridge.door import Door
from magi.bridge.texts import complaint, name, notice
from magi.bridge.tool import Call, Reply, Session, Tool, Unusable
from magi.bridge.waiting import Patience, Progress, unseen
from magi.client.errors import MagiError
from magi.daemon.port import Desk, DeskError, Waiting

log = logging.getLogger(__name__)

NOTICE_SECONDS: Final = 1.0
"""A line about what waits is not worth more."""
FAULT: Final = "Something inside magi failed. What became of the call is not known; ask your owner to run: magi doctor"


LATE: Final = "The magi daemon does not answer. The call may or may not have been done: look before you repeat it."


@dataclass(frozen=True, slots=True)
class Said:
    """What a call says in the end."""

    texts: Sequence[str]
    data: Mapping[str, Any]
    is_error: bool


class Front:
    """Answers the calls of one agent client."""

    def __init__(self, door: Door, session: Session, patience: Patience | None = None) -> None:
        self.door = door
        self._session = session
        self._patience = patience or Patience()

    async def call(self, tool: Tool, given: Mapping[str, Any], progress: Progress = unseen) -> Said:
        """Run a tool. Never raises: errors are results (MCP-5). Never takes longer than clients allow (MCP-3)."""
        waiting = Waiting()
        try:
            async with asyncio.timeout(self._patience.most_seconds):
                arguments = tool.read(given)
                clock = asyncio.get_running_loop().time
                start = clock()
                desk = await self.door.desk()
                patience = self._patience.after(clock() - start)
                reply = await self._run(tool, Call(desk, self._session, patience, progress), arguments)
                waiting = await _waiting(desk)
        except Unusable as error:
            reply = tool.refused(str(error))
        except (MagiError, DeskError) as error:  # the desk itself is out of reach
            reply = tool.refused(complaint(error))
        except TimeoutError:
            reply = tool.refused(LATE)
        except Exception:
            log.exception("%s failed", tool.name)
            reply = tool.refused(FAULT)
        return _said(tool, reply, waiting)

    async def page(self, address: str) -> str:
        """Return the text of a resource; what is wrong with the desk stands there instead (MCP-5).

        Raises:
            NoSuchPage: There is none at this address.
        """
        try:
            return await pages.read(self.door.desk, self._session.caller, address)
        except (MagiError, DeskError) as error:
            return complaint(error)

    async def _run(self, tool: Tool, call: Call, arguments: Any) -> Reply:
        try:
            return await tool.run(call, arguments)
        except Unusable as error:
            return tool.refused(str(error))
        except (MagiError, DeskError) as error:
            return tool.refused(complaint(error))


async def _waiting(desk: Desk) -> Waiting:
    """Return what waits; nothing, if the desk does not say so soon."""
    with contextlib.suppress(MagiError, DeskError, TimeoutError):
        async with asyncio.timeout(NOTICE_SECONDS):
            return (await desk.status()).waiting
    return Waiting()


def _said(tool: Tool, reply: Reply, waiting: Waiting) -> Said:
    line = notice(waiting)
    texts = [reply.text, *([line] if line else [])]
    counts = {**msgspec.structs.asdict(waiting), "questions": list(map(name, waiting.questions))}
    return Said(texts if tool.pure else ["\n\n".join(texts)], {**reply.data, "waiting": counts}, reply.is_error)
