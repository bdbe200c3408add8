"""The lane: all that a node says to the store and hears from it, over two pipelined connections (DEL-9 to DEL-13).

The life of a command::

    call -> (Room, while there is no room or no connection) -> Connection.send -> one write a tick -> done(reply)

No command is ever sent twice, but for a script that the server did not know: that one certainly did not run.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.channels import Channels
from exchange.storage.redis.connection import Break, Connection, Counters, Done, resolve, settle
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.pair import Pair
from exchange.storage.redis.probe import Probe
from exchange.storage.redis.resp import Command, ReplyError, Word, answer, kind, pack
from exchange.storage.redis.room import Room
from exchange.storage.redis.scripts import SCRIPTS, Script
from exchange.storage.redis.supervisor import Supervisor

log = structlog.get_logger()


class Lane:
    """A node's way to the store. Belongs to one event loop; nothing here blocks."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout_seconds: float = 1.0,
        connect_timeout_seconds: float = 1.0,
        probe_seconds: float = 5.0,
        probe_channel: str,
        scripts: Sequence[Script] = SCRIPTS,
    ) -> None:
        """Prepare a lane; :meth:`start` connects it.

        Args:
            endpoint: Where the store is.
            timeout_seconds: How long a reply, a confirmation or a probe may take; up to a tenth more.
            connect_timeout_seconds: How long a connection, its TLS included, may take.
            probe_seconds: Time between two probes, give or take a tenth.
            probe_channel: A channel that nobody else uses.
            scripts: What :meth:`run` may be asked for.
        """
        self.on_message: Callable[[bytes, bytes], None] = _ignore_message
        """Gets channel and payload of each message, in the order of the server."""
        self.on_gap: Callable[[], None] = _ignore_gap
        """Messages may have been lost: the lane was down. All subscriptions are confirmed again."""
        self.up = False
        self.counters = Counters()
        self._endpoint = endpoint
        self._timeout_seconds = timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._scripts = tuple(scripts)
        self._loading = False
        self._commands: Connection | None = None
        self._room = Room()
        self._channels = Channels()
        self._probe = Probe(probe_channel, timeout_seconds=timeout_seconds)
        self._supervisor = Supervisor(
            self._open,
            on_up=self._rose,
            on_down=self._fell,
            on_gap=self._gap,
            probe=self._probe,
            probe_seconds=probe_seconds,
        )

    async def start(self) -> None:
        """Connect for the first time. From then on the lane keeps itself up.

        Raises:
            StorageUnavailable: Says what is wrong, for the operator and without secrets. Nothing was left behind.
        """
        await self._supervisor.start()

    async def stop(self) -> None:
        """Close both connections at once; what still waits fails. Send nothing afterwards."""
        await self._supervisor.stop()
        self._room.clear()
        self._channels.clear()

    # --- how it is

    @property
    def up_since(self) -> float:
        """When the lane came up last, on the loop's clock. Without a break since, if it is up."""
        return self._supervisor.up_since

    @property
    def last_probe(self) -> float:
        """When a probe passed last, on the loop's clock; 0 before the first."""
        return self._supervisor.last_probe

    @property
    def inflight(self) -> int:
        """Commands that wait for their reply now."""
        return self._commands.inflight if self._commands is not None else 0

    @property
    def channels(self) -> int:
        """Channels that are subscribed, or will be again once the lane is up."""
        return len(self._channels)

    # --- commands

    def call(self, command: Command, done: Done) -> None:
        """Send a command: the hot path. Commands leave, and are called back, in order.

        ``done`` is called exactly once, and never from in here: with the reply, with a ``ReplyError`` if the server
        refused, or with a ``StorageUnavailable`` whose ``sent`` is false if the command certainly never left.

        Raises:
            TypeError, UnicodeEncodeError: A word cannot be packed (``resp.pack``).
        """
        data = pack(command)
        commands = self._commands
        if commands is None or self._room or commands.full:
            self._room.enter(partial(self._send, data, done), partial(settle, done))
        else:
            commands.send(data, done)

    async def ask(self, *command: Word) -> Any:
        """Send a command and return its reply. Cancelling loses the reply and disturbs nobody; it may still run.

        Raises:
            StorageUnavailable: It did not run, or nobody knows, or the server cannot do it now (``resp.REFUSALS``).
            RuntimeError: The server calls the command wrong: a bug of ours.
        """
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.call(command, partial(resolve, future))
        return answer(await future)

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Word], done: Done, *, again: bool = True) -> None:
        """Run a script, as :meth:`call`. If the server lost it, all scripts are loaded and it is sent once more.

        That is behind what was sent meanwhile; where order is worth more, say not ``again``: then it is refused.
        """
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        self.call(command, partial(self._ran, command if again else None, done))

    async def ask_script(self, script: Script, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """Run a script and return what it answers, as :meth:`ask`."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.run(script, keys, args, partial(resolve, future))
        return answer(await future)

    def _send(self, data: bytes, done: Done) -> None:
        if self._commands is None:
            settle(done, StorageUnavailable(sent=False))
        else:
            self._commands.send(data, done)

    def _admit(self) -> None:
        if self._room:
            self._room.admit(self._has_room)

    def _has_room(self) -> bool:
        return self._commands is not None and not self._commands.full

    def _ran(self, command: Command | None, done: Done, reply: object) -> None:
        lost = isinstance(reply, ReplyError) and kind(reply) == "NOSCRIPT"
        if lost:
            self._load()
        if lost and command is not None:
            self.call(command, done)
        else:
            done(reply)

    def _load(self) -> None:
        """Load all scripts ahead of what is sent next, unless that is under way."""
        if self._loading:
            return
        self._loading = True
        for script in self._scripts:
            self.call(("SCRIPT", "LOAD", script.source), self._loaded)

    def _loaded(self, _reply: object) -> None:
        # The first reply will do: a command refused later than this was sent before the scripts were there.
        self._loading = False

    # --- channels

    async def subscribe(self, channel: str) -> None:
        """Subscribe; returns when the server has confirmed it. A cancelled call may leave the channel subscribed.

        Raises:
            StorageUnavailable: It is not subscribed, or was and is not any more.
        """
        await self._channels.subscribe(channel)

    def unsubscribe(self, channel: str) -> None:
        """Give a channel up, in order with earlier and later subscribes. Messages under way may still come."""
        self._channels.unsubscribe(channel)

    # --- up and down

    async def _open(self, on_break: Callable[[Break], None]) -> Pair:
        pair = Pair(
            self.counters,
            timeout_seconds=self._timeout_seconds,
            on_break=on_break,
            on_read=self._admit,
            on_message=self._heard,
        )
        try:
            await pair.open(
                self._endpoint, connect_timeout_seconds=self._connect_timeout_seconds, scripts=self._scripts
            )
            await pair.subscribe([self._probe.channel, *self._channels.names()])
        except BaseException:
            pair.close(Break.STOPPED)
            await pair.gone()
            raise
        return pair

    def _rose(self, pair: Pair) -> None:
        self._commands = pair.commands
        self.up = True
        log.info("lane.opened", store=str(self._endpoint), channels=self.channels)
        self._channels.rose(pair.messages)
        self._admit()

    def _fell(self, why: Break) -> None:
        self._commands = None
        self._channels.fell()
        self.up = False
        if why is not Break.STOPPED:
            self.counters.rebuilds[why] += 1
            log.warning("lane.broken", store=str(self._endpoint), reason=str(why))

    def _gap(self) -> None:
        try:
            self.on_gap()
        except Exception:
            log.exception("lane.callback_failed")

    def _heard(self, channel: bytes, payload: bytes) -> None:
        if channel == self._probe.channel:
            self._probe.hear(payload)
        else:
            self.on_message(channel, payload)


def _ignore_message(_channel: bytes, _payload: bytes) -> None:
    """Nobody listens yet."""


def _ignore_gap() -> None:
    """Nobody listens yet."""
