"""A real uvicorn with our transport, in a thread of its own, and conversations that write down what happens."""

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import uvloop
from uvicorn import Config, Server

from exchange.front import Doorman, Ending, Refusal, Socket, SocketRules, Upgrade, Welcome
from exchange.transports import http1
from exchange.transports.wheel import Wheel
from tests.harness.waiting import WAIT_SECONDS

T = TypeVar("T")

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
RULES = SocketRules(message_bytes=70_000, outer_bytes=280_000)


class Recorder:
    """A conversation that echoes messages, and may greet."""

    def __init__(self, *, greeting: bytes = b"") -> None:
        self.greeting = greeting
        self.socket: Socket | None = None
        self.messages: list[bytes] = []
        self.oversized_count = 0
        self.endings: queue.SimpleQueue[Ending] = queue.SimpleQueue()

    def opened(self, socket: Socket) -> None:
        self.socket = socket
        if self.greeting:
            socket.send(self.greeting)

    def received(self, message: bytes) -> None:
        self.messages.append(message)
        assert self.socket is not None
        self.socket.send(message)

    def oversized(self) -> None:
        self.oversized_count += 1
        assert self.socket is not None
        self.socket.send(b"oversized")

    def ended(self, ending: Ending) -> None:
        self.endings.put(ending)

    def ending(self) -> Ending:
        """Wait for the end; it is told once."""
        ending = self.endings.get(timeout=WAIT_SECONDS)
        assert self.endings.empty(), "ended was told twice"
        return ending


class SocketServer:
    """The transport under test. ``welcome`` says what a new connection meets; by default an echoing :class:`Recorder`.

    ``tls`` are arguments of ``uvicorn.Config``.
    """

    def __init__(
        self,
        loop: str,
        *,
        rules: SocketRules = RULES,
        welcome: Callable[[Upgrade], Recorder | Refusal] | None = None,
        turn_seconds: float = 0.1,
        tls: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.conversations: queue.SimpleQueue[Recorder] = queue.SimpleQueue()
        self.upgrades: list[Upgrade] = []
        self._rules = rules
        self._welcome = welcome or (lambda _: Recorder())
        self._tcp = socket.socket()
        self._tcp.bind(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self.wheel = Wheel(turn_seconds=turn_seconds)
        doorman: Doorman = self._answer
        config = Config(
            _hello,
            **http1.options(doorman, self.wheel, **options),
            **(tls or {}),
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
        )
        self.server = Server(config)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.troubles: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._run, args=(LOOPS[loop],), daemon=True)
        self._up = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(WAIT_SECONDS), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.server.force_exit = True
        self._thread.join(WAIT_SECONDS)
        self._tcp.close()
        assert not self._thread.is_alive(), "the server did not stop"
        assert self.troubles == [], "an exception reached the loop"

    def conversation(self) -> Recorder:
        """Return the conversation of the next connection that was welcomed."""
        return self.conversations.get(timeout=WAIT_SECONDS)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the server's loop."""

        async def run() -> T:
            return function()

        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT_SECONDS)

    def _answer(self, upgrade: Upgrade) -> Welcome | Refusal:
        self.upgrades.append(upgrade)
        verdict = self._welcome(upgrade)
        if isinstance(verdict, Refusal):
            return verdict
        self.conversations.put(verdict)
        return Welcome(verdict, self._rules)

    def _run(self, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _, context: self.troubles.append(context))
        self.loop.call_soon(self._started)
        with contextlib.suppress(asyncio.CancelledError):
            await self.server.serve(sockets=[self._tcp])

    def _started(self) -> None:
        if self.server.started:
            self._up.set()
        else:
            assert self.loop is not None
            self.loop.call_later(0.005, self._started)


async def _hello(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """Answer every HTTP request."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
