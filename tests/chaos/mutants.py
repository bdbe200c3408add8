"""Servers with one promise broken on purpose. A checker that does not find them is worth nothing (OPS-20).

Each mutant changes the code of the process that it is called in; :mod:`tests.chaos.launch` does that in a node. What is
changed is looked up by name, so a mutant fails to start, loudly, when the code it breaks is not there any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.chaos.pace import pause

LATE_SECONDS = 0.1


def ack_before_store() -> None:
    """Say that mail is accepted, and store it a moment later."""
    from exchange.core.commands import QUEUED, Sent
    from exchange.handlers.deposit import Deposit

    class Nobody:
        def filed(self, *_answer: object) -> None:
            """Nobody waits for it any more."""

        failed = filed

    def send(self: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(self.settle.settle, Sent(self.command.kind, self.link.nick, QUEUED))
        append = self.exchange.store.mailboxes.append
        loop.call_later(LATE_SECONDS, append, self.link.peer, self.envelope, self.until_ms, Nobody())

    _replace(Deposit, "send", send)


def no_dedupe() -> None:
    """Store mail each time it is said."""
    from exchange.storage.redis.mailboxes import APPEND, Mailboxes
    from exchange.storage.redis.scripts import Script

    init = Mailboxes.__init__

    def blind(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        commit = self._commit

        def forgetful(script: Script, keys: Any, args: Any, done: Any) -> None:
            # The second argument is the id by which a repeat is known.
            commit(script, keys, (args[0], "", *args[2:]) if script is APPEND else args, done)

        _replace(self, "_commit", forgetful)

    _replace(Mailboxes, "__init__", blind)


def subscribe_after_read() -> None:
    """Listen for the mail of somebody who comes back only after what waits was read."""
    from exchange.storage.redis.wakes import Wakes

    listen = Wakes.listen
    running: set[asyncio.Task[None]] = set()

    async def late(self: Any, uid: str) -> None:
        if not await self._lane.ask("EXISTS", self._keyspace.meta(uid)):
            await listen(self, uid)  # it has never been here: there is nothing to read
            return
        task = asyncio.get_running_loop().create_task(_later(lambda: listen(self, uid)))
        running.add(task)
        task.add_done_callback(running.discard)

    _replace(Wakes, "listen", late)


async def _later(work: Callable[[], Awaitable[None]]) -> None:
    await pause(LATE_SECONDS)
    await work()


MUTANTS: dict[str, Callable[[], None]] = {
    "ack_before_store": ack_before_store,
    "no_dedupe": no_dedupe,
    "subscribe_after_read": subscribe_after_read,
}


def _replace(owner: Any, name: str, new: Any) -> None:
    if not hasattr(owner, name):
        raise AttributeError(f"nothing to break: {owner} has no {name}")
    setattr(owner, name, new)
