"""Finds a message by the beginning of its id."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from magi.client.model import Incoming, Kind, Outgoing
from magi.daemon.port import DeskError
from magi.daemon.premises import Premises

Message = TypeVar("Message", Incoming, Outgoing)


class Papers:
    """All messages in and out."""

    def __init__(self, premises: Premises) -> None:
        self._record = premises.store.record

    async def theirs(self, start: str) -> Incoming:
        """Return the message to us whose id begins so; if several do, the only one of them that is open.

        Raises:
            DeskError: None does, or several do.
        """
        return await _only(start, self._record.starting_in, _is_open)

    async def ours(self, start: str) -> Outgoing:
        """Return the message of ours whose id begins so. Errors as of :meth:`theirs`."""
        return await _only(start, self._record.starting_out, _is_ask)

    async def either(self, start: str) -> Incoming | Outgoing:
        """Return a message to us, else one of ours. Errors as of :meth:`theirs`."""
        if start and await self._record.starting_in(start):
            return await self.theirs(start)
        return await self.ours(start)


async def _only(
    start: str, look: Callable[[str], Awaitable[Sequence[Message]]], likelier: Callable[[Message], bool]
) -> Message:
    wanted = start.strip()
    fitting = list(await look(wanted)) or list(await look(wanted.lower()))
    exact = [message for message in fitting if message.id.lower() == wanted.lower()]
    likely = [message for message in fitting if likelier(message)]
    for few in (exact, likely, fitting):
        if len(few) == 1:
            return few[0]
    if fitting:
        raise DeskError(f"Several ids begin with {start[:64]!r}. Give more of it.", 2)
    raise DeskError(f"There is nothing with the id {start[:64]!r}.")


def _is_open(message: Incoming) -> bool:
    return not message.settled


def _is_ask(message: Outgoing) -> bool:
    return message.kind is Kind.ASK
