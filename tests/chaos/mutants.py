"""Servers with one promise broken on purpose. A checker that does not find them is worth nothing (OPS-20).

Each mutant changes the code of the process that it is called in; :mod:`tests.chaos.launch` does that in nodes and workers.
Which scenario finds it, and as what, is said in :mod:`tests.chaos.controls`. What is changed is looked up by name, so a mutant fails to start, loudly, when the code it breaks is not there any more.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec

from tests.chaos.pace import pause

LATE_SECONDS = 0.1
SLOW_SECONDS = 0.4
"""Longer than the time between two runs of a job in a scenario."""
EXPIRED_MOST = 256
EXPIRED_BYTES = 1 << 20
FAR_MS = 1 << 62


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


def no_read() -> None:
    """Give nobody who comes back what waits: only what comes from then on."""
    from exchange.node.delivery import Delivery

    async def begin(self: Any, state: Any) -> None:
        self._window = self._new_window(state)
        self._window.skip(state.last)

    _replace(Delivery, "begin", begin)


def no_lease_check() -> None:
    """Act for sessions without asking whether the lease still holds."""
    from exchange.node.lease import Lease

    _replace(Lease, "current", lambda self: self._until > float("-inf"))


def no_probe() -> None:
    """Believe that what is subscribed is heard."""
    from exchange.storage.redis.probe import Probe

    async def passes(_self: Any, _pair: Any) -> bool:
        return True

    _replace(Probe, "passes", passes)


def drops_when_full() -> None:
    """Say of mail for which there is no room that it is accepted."""
    from exchange.core.commands import QUEUED, Sent
    from exchange.handlers.deposit import Deposit
    from exchange.ports import StoredWord

    filed = Deposit.filed

    def lenient(self: Any, word: Any, offset: str, nodes_count: int) -> None:
        if word is StoredWord.FULL:
            self.settle.settle(Sent(self.command.kind, self.link.nick, QUEUED))
        else:
            filed(self, word, offset, nodes_count)

    _replace(Deposit, "filed", lenient)


def told_before_taken() -> None:
    """Tell of the end of mail in one step, and take it out in a later one; until then readers get it."""
    from exchange.core.ids import NOWHERE
    from exchange.node.delivery import Delivery
    from exchange.storage.redis.mailboxes import Mailboxes

    expire, read = Mailboxes.expire, Mailboxes.read
    told: set[tuple[str, str]] = set()

    async def in_two_steps(self: Any, uid: str, **options: Any) -> int:
        now_ms = int(time.time() * 1000)
        page = await read(self, uid, NOWHERE, count=EXPIRED_MOST, bytes_=EXPIRED_BYTES)
        old = [one for one in page.letters if one.until_ms <= now_ms and (uid, one.offset) not in told]
        if not old:
            return await expire(self, uid, **options)
        for letter in old:
            told.add((uid, letter.offset))
            fate = [1, "expired", letter.envelope.kind, letter.envelope.sender, letter.envelope.id]
            await self._lane.ask("HSET", self._keyspace.fates(uid), letter.offset, msgspec.msgpack.encode(fate))
        return now_ms  # the next run takes them out

    async def blind(self: Any, *args: Any, **options: Any) -> Any:
        page = await read(self, *args, **options)
        return replace(page, letters=tuple(letter._replace(until_ms=FAR_MS) for letter in page.letters))

    async def leave_it(_self: Any) -> None:
        """The worker sees to it."""

    _replace(Mailboxes, "expire", in_two_steps)
    _replace(Mailboxes, "read", blind)
    _replace(Delivery, "_clear_expired", leave_it)


def wall_clock() -> None:
    """Take the time of the machine for that of the store."""
    from exchange.storage.redis.clock import Clock

    _replace(Clock, "now_ms", lambda _self: int(time.time() * 1000))


def wall_clock_in_leases() -> None:
    """Have a lease end at a moment of the wall clock, which was right when the node started."""
    from exchange.storage.redis.clock import steady
    from exchange.storage.redis.leases import Leases

    renew, began = Leases.renew, time.time() - steady()

    async def until(self: Any, node: Any, *, ttl_ms: int, draining: bool) -> bool:
        jumped_ms = int((time.time() - steady() - began) * 1000)
        return await renew(self, node, ttl_ms=max(1, ttl_ms + jumped_ms), draining=draining)

    _replace(Leases, "renew", until)


def no_compare() -> None:
    """Let all workers do all jobs, and tell the sender each time one finds that its mail ended, whoever told it before."""
    from exchange.storage.redis.jobs import Jobs
    from exchange.storage.redis.mailboxes import Mailboxes

    post, told = Mailboxes.post, Mailboxes.told
    numbers = itertools.count()

    async def everybody(_self: Any, *_args: Any, **_options: Any) -> bool:
        return True

    async def another(self: Any, uid: str, notice: Any, until_ms: int) -> Any:
        return await post(self, uid, notice._replace(id=f"{os.getpid()}.{next(numbers)}"), until_ms)

    async def late(self: Any, *args: Any) -> None:
        await pause(SLOW_SECONDS)
        await told(self, *args)

    _replace(Jobs, "hold", everybody)
    _replace(Mailboxes, "post", another)
    _replace(Mailboxes, "told", late)


def lingering_close() -> None:
    """Close a socket in order whose client does not read, and wait for it."""
    from exchange.transports.websocket import WebSocket

    def abort(self: Any, ending: Any) -> None:
        self._leave(ending)
        self._turn_deaf()
        self._wheel.remove(self)
        self._transport.close()

    _replace(WebSocket, "abort", abort)


def stock_shutdown() -> None:
    """End as programs do that know nothing of sessions: every socket at once, and nobody is told."""
    from exchange.app import Node

    async def stop(self: Any) -> None:
        os._exit(0)

    _replace(Node, "stop", stop)


async def _later(work: Callable[[], Awaitable[None]]) -> None:
    await pause(LATE_SECONDS)
    await work()


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        ack_before_store,
        no_dedupe,
        subscribe_after_read,
        no_read,
        no_lease_check,
        no_probe,
        drops_when_full,
        told_before_taken,
        wall_clock,
        wall_clock_in_leases,
        no_compare,
        lingering_close,
        stock_shutdown,
    )
}


def _replace(owner: Any, name: str, new: Any) -> None:
    if not hasattr(owner, name):
        raise AttributeError(f"nothing to break: {owner} has no {name}")
    setattr(owner, name, new)
