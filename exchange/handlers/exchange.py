"""The one entrance: ``Exchange.handle(session, command, settle)``."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from exchange.core.commands import (
    Ack,
    Attend,
    Block,
    Command,
    Confirm,
    CreateInvite,
    Identify,
    Ignore,
    ListFriends,
    PassOn,
    Ping,
    ReadHistory,
    Redeem,
    Reply,
    Send,
    SetPresence,
    Unblock,
    Unfriend,
)
from exchange.core.errors import ExchangeError, StorageUnavailable, Unavailable
from exchange.core.features import FEATURES, HISTORY
from exchange.core.model import Presence
from exchange.core.session import Session, State
from exchange.entropy import new_id
from exchange.farewell import say_farewell
from exchange.front import Hub, Settle, Switchboard, Tenure, Witness
from exchange.handlers.acknowledge import acknowledge
from exchange.handlers.attend import attend, attending
from exchange.handlers.block import block, unblock
from exchange.handlers.confirm import confirm
from exchange.handlers.create_invite import create_invite
from exchange.handlers.forward import forward, forward_slowly
from exchange.handlers.friends import list_friends, unfriend
from exchange.handlers.history import read_history
from exchange.handlers.identify import identify
from exchange.handlers.pass_on import ignore, pass_on, pass_on_slowly, pong
from exchange.handlers.presence import set_presence
from exchange.handlers.redeem import redeem
from exchange.ports import Store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings decide for the handlers. Times in milliseconds unless the name says otherwise."""

    grace_ms: int = 5_000
    invite_life_ms: int = 1_800_000
    code_characters: int = 6
    open_invites: int = 20
    asks_per_minute: int = 10  # 0: unlimited
    asks_burst: int = 10
    failures_connection: int = 10
    failures_address: int = 30
    failures_window_ms: int = 60_000
    deadline_ms: int = 4_000
    reply_seconds: float = 7.5  # below the 8 s of MAGI-10
    finish_seconds: float = 2.0
    store_up_seconds: float = 12.0
    available: frozenset[str] = FEATURES - {HISTORY}
    """What extended clients can be granted here."""
    resume_ms: int = 2_592_000_000
    """How long a name with a token but nothing persistent is kept for its owner."""
    mail_ttl_ms: int = 604_800_000
    history_keep_ms: int = 0
    history_most: int = 100


class Handler(Protocol):
    """Carries out one kind of command. What still has to happen before the next command goes into ``session.after``."""

    def __call__(self, exchange: "Exchange", session: Session, command: Any) -> Awaitable[Reply]: ...


HANDLERS: dict[type[Command[Any]], Handler] = {
    Identify: identify,
    CreateInvite: create_invite,
    Redeem: redeem,
    Send: forward_slowly,
    ListFriends: list_friends,
    Unfriend: unfriend,
    Block: block,
    Unblock: unblock,
    SetPresence: set_presence,
    ReadHistory: read_history,
    Confirm: confirm,
    Attend: attend,
    PassOn: pass_on_slowly,
}
"""The handlers that may ask the store, and wait for it."""


class ShortWay(Protocol):
    """Carries a command out at once, without a task. ``False``: its handler must be asked.

    Raises:
        ExchangeError: Refused; ``settle`` is not called.
    """

    def __call__(self, exchange: "Exchange", session: Session, command: Any, settle: Settle) -> bool: ...


SHORT_WAYS: dict[type[Command[Any]], ShortWay] = {
    Send: forward,
    Ack: acknowledge,
    Attend: attending,
    PassOn: pass_on,
    Ping: pong,
    Ignore: ignore,
}
"""What can be done at once. What always can has no handler."""

INSIST_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Pauses between repeats of a step that must not be left undone; the last one repeats."""


class Exchange:
    """The rules of the exchange for the sessions of one node, on top of the ports."""

    def __init__(
        self,
        node: str,
        store: Store,
        hub: Hub,
        switchboard: Switchboard,
        tenure: Tenure,
        witness: Witness,
        policy: Policy,
    ) -> None:
        self.node = node
        self.store = store
        self.hub = hub
        self.switchboard = switchboard
        self.tenure = tenure
        self.witness = witness
        self.policy = policy
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._mint_prefix = new_id()[:10]
        self._mint_count = itertools.count()

    def handle(self, session: Session, command: Command[Any], settle: Settle) -> bool:
        """Carry out a command; its outcome goes to ``settle``, once.

        Returns ``True`` if the session's next command may follow at once, ``False`` if it has to wait for
        ``settle.proceed()``.

        Raises:
            ExchangeError: Refused at once; ``settle`` is not called.
        """
        session.check(type(command))
        short = SHORT_WAYS.get(type(command))
        if short is not None and short(self, session, command, settle):
            return True
        task = self.spawn(self._run(HANDLERS[type(command)], session, command, settle))
        self._running[session.client] = task
        return False

    async def _run(self, handler: Handler, session: Session, command: Command[Any], settle: Settle) -> None:
        started = self.store.clock.steady()
        outcome = await self._outcome(handler, session, command)
        try:
            settle.settle(outcome)
            error = outcome if isinstance(outcome, ExchangeError) else None
            self.witness.handled(command, error, self.store.clock.steady() - started)
            # In an outage it goes on by itself: the next requests must be answered in time (MAGI-10).
            await asyncio.wait({self.spawn(self.finish(session))}, timeout=self.policy.finish_seconds)
        finally:
            self._running.pop(session.client, None)
            settle.proceed()

    async def finish(self, session: Session) -> None:
        """Do what a handler left to be done after its reply."""
        while session.after:
            step = session.after.pop(0)
            try:
                await step()
            except ExchangeError as error:
                log.warning("command.unfinished", client=session.client, reason=str(error))
            except Exception:
                # The other steps, and the connection's other requests, are not to blame for a mistake of ours.
                log.exception("command.unfinished", client=session.client)

    async def _outcome(self, handler: Handler, session: Session, command: Command[Any]) -> Reply | ExchangeError:
        try:
            async with asyncio.timeout(self.policy.reply_seconds):
                await self.tenure.assure()
                return await handler(self, session, command)
        except ExchangeError as error:
            return error
        except TimeoutError:
            return Unavailable()
        except Exception:
            log.exception("command.failed", command=type(command).__name__)
            return Unavailable()

    def leave(self, session: Session) -> Awaitable[None]:
        """End a session whose connection is gone: nothing reaches it from now on, its friends are told (MAGI-31).

        What can be done at once is done before this returns; the awaitable is done when the store knows it all.
        """
        session.state = State.ENDED
        running = self._running.get(session.client)
        if running is None or session.end is not None:  # whoever waits to pass on a frame need not wait any more
            self._unseat(session)
        return self.spawn(self._leave(session, running))

    async def _leave(self, session: Session, running: "asyncio.Task[None] | None") -> None:
        if running is not None:
            await asyncio.wait({running})
            self._unseat(session)
        if session.user is not None or session.end is not None:
            await self.insist(lambda: self.farewell(session), "session.farewell")

    def _unseat(self, session: Session) -> None:
        if session.end is not None:
            self.switchboard.unseat(session)
        if session.user is not None:
            self.hub.unseat(session.user)
            if not self.hub.holds(session.user.uid):  # else another session of this user took over, here (MAGI-46)
                self.store.wakes.forget(session.user.uid)

    async def farewell(self, session: Session) -> None:
        """Remove what the store knows of an identified session."""
        policy = self.policy
        await say_farewell(self.store, self.presence(session), grace_ms=policy.grace_ms, resume_ms=policy.resume_ms)

    def presence(self, session: Session) -> Presence:
        """Return what the store is told of an identified session."""
        if session.end is not None:
            pair, role, _ = session.end
            return Presence(session.sid, pair, "", self.node, session.dialect, session.address, role=role)
        user = session.identified()
        return Presence(session.sid, user.uid, user.name, self.node, session.dialect, session.address)

    def mint(self) -> str:
        """Return a message id for a sender that gave none: unique in the cluster, nothing more."""
        return f"{self._mint_prefix}{next(self._mint_count):x}"

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something beside the connections and keep it alive until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something beside the connections after a while, unless this node ends before."""

        def start() -> None:
            self._timers.discard(timer)
            self.spawn(work())

        timer = asyncio.get_running_loop().call_later(seconds, start)
        self._timers.add(timer)

    async def insist(self, step: Callable[[], Awaitable[object]], step_name: str) -> None:
        """Repeat a step until the store took it. The step must be safe to repeat."""
        pauses = itertools.chain(INSIST_SECONDS, itertools.repeat(INSIST_SECONDS[-1]))
        for pause in pauses:
            try:
                await step()
            except StorageUnavailable as error:
                log.warning("step.postponed", step=step_name, reason=str(error))
                await asyncio.sleep(pause)
            else:
                return

    async def see_to(self, step: Callable[[], Awaitable[object]], step_name: str) -> None:
        """As :meth:`insist`, but go on in the background if the caller is cancelled."""
        await asyncio.shield(self.spawn(self.insist(step, step_name)))

    async def settled(self, seconds: float) -> int:
        """Start nothing more, and wait until nothing runs beside the connections.

        Returns how much still does after ``seconds``.
        """
        for timer in self._timers:
            timer.cancel()
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        while self._tasks and now() < deadline:
            # What ends may begin something else: a failed attach is undone.
            await asyncio.wait(set(self._tasks), timeout=deadline - now())
        return len(self._tasks)
