"""The two programs that a process can be: a node, and a worker. Each alone or as a child of ``serve``."""

import asyncio
import sys
from collections.abc import Callable

from exchange.lifeline import Lifeline
from exchange.process import run_process
from exchange.refusal import REFUSED_STATUS
from exchange.settings import Settings


def run_node_program(index: int, report_fd: int) -> int:
    """Be node ``index`` of a parent that holds the other end of ``report_fd``; return the exit status."""
    from exchange.app import run_node  # noqa: PLC0415  a worker does not need it
    from exchange.listening import node_sockets  # noqa: PLC0415

    lifeline = Lifeline(report_fd)
    settings = lifeline.settings()

    async def program(stop: asyncio.Event) -> None:
        listen, ops = settings.listen, settings.ops
        with node_sockets((listen.host, listen.port), (ops.host, ops.port), settings.relay_place) as sockets:
            await run_node(settings, index=index, sockets=sockets, stop=stop, ready=lifeline.ready)

    return run_process(program, lifeline=lifeline)


def run_worker_program(report_fd: int | None, load: Callable[[], Settings]) -> int:
    """Be a worker; return the exit status. Settings come from the parent if there is one, else from ``load``."""
    lifeline = None if report_fd is None else Lifeline(report_fd)
    settings = load() if lifeline is None else lifeline.settings()
    if not settings.redis.url.get_secret_value():
        print(  # noqa: T201  the one sentence for whoever started it
            "A worker needs the Redis or Valkey of the nodes: set EXCHANGE_REDIS__URL (beside an embedded Valkey, "
            "serve runs the worker).",
            file=sys.stderr,
        )
        return REFUSED_STATUS
    from worker.runner import run_worker  # noqa: PLC0415  a node does not need it

    ready = (lambda: None) if lifeline is None else lifeline.ready
    return run_process(lambda stop: run_worker(settings, stop=stop, ready=ready), lifeline=lifeline)
