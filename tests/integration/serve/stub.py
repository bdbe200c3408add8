"""``magi-exchange serve`` with nodes and a worker that only say who they are: ``python stub.py serve``.

All of the program is real but for ``run_node`` and ``run_worker``. ``STUB_<NAME>`` in the environment makes a program
misbehave: ``crash`` before it is ready, ``refuse`` its start, be ``slow`` to start, ``linger`` after SIGTERM.
"""

import asyncio
import contextlib
import json
import os
import sys
from types import ModuleType

from exchange import serve
from exchange.programs import run_node_program, run_worker_program
from exchange.refusal import StartRefused
from exchange.settings import load


async def run_node(settings, *, index, sockets, stop, ready):
    name = f"node{index}"
    await _behave(name, stop)
    facts = {
        "pid": os.getpid(),
        "index": index,
        "redis": settings.redis.url.get_secret_value(),
        "environ": [variable for variable in os.environ if variable.startswith("EXCHANGE_")],
    }

    async def tell(reader, writer):
        writer.write(json.dumps(facts).encode() + b"\n")
        await writer.drain()
        writer.close()

    async with contextlib.AsyncExitStack() as servers:
        for sock in filter(None, sockets):
            await servers.enter_async_context(await asyncio.start_server(tell, sock=sock))
        ready()
        await stop.wait()
        await _end(name)


async def run_worker(settings, *, stop, ready):
    await _behave("worker", stop)
    ready()
    await stop.wait()
    await _end("worker")


async def _behave(name, stop):
    match os.environ.get(f"STUB_{name}".upper()):
        case "crash":
            sys.exit(7)
        case "refuse":
            raise StartRefused("The stub refuses.")
        case "slow":
            _say(f"{name} starts")
            await stop.wait()


async def _end(name):
    if os.environ.get(f"STUB_{name}".upper()) == "linger":
        await asyncio.Event().wait()
    _say(f"{name} ended")


def _say(text):
    # One write a line: several processes write to the same file.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main():
    app, runner = ModuleType("exchange.app"), ModuleType("worker.runner")
    app.run_node, runner.run_worker = run_node, run_worker
    sys.modules["exchange.app"], sys.modules["worker.runner"] = app, runner
    match sys.argv[1:]:
        case ["serve"]:
            return serve.serve(load(os.environ), command=(sys.executable, __file__))
        case ["node", "--index", index, "--report-fd", fd]:
            return run_node_program(int(index), int(fd))
        case ["worker", "--report-fd", fd]:
            return run_worker_program(int(fd), lambda: load(os.environ))
    raise SystemExit(f"unknown: {sys.argv}")


if __name__ == "__main__":
    sys.exit(main())
