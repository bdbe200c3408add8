"""An operator's visit to the store of an exchange: the one that is configured, or the embedded one that runs here."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

from pydantic import SecretStr

from exchange import logs
from exchange.core.errors import StorageUnavailable
from exchange.embedded import running
from exchange.ports import Store
from exchange.refusal import StartRefused
from exchange.settings import Settings
from exchange.stores import connect

R = TypeVar("R")


def visit(settings: Settings, work: Callable[[Store], Awaitable[R]]) -> R:
    """Open the store, do the work, close the store, and return what the work returned.

    Raises:
        StartRefused: The store is out of reach, or no exchange runs here.
    """
    with ExitStack() as stack:
        if not settings.redis.url.get_secret_value():
            url = stack.enter_context(running(settings.store.data_dir))
            # How safely it keeps what it accepts was decided by who started it.
            settings = settings.changed(redis={"url": SecretStr(url)}, store={"durability": "memory"})
        # Standard output is for the answer, and what is wrong is told in one sentence.
        logs.configure("error", settings.log.format, "admin", fd=2)
        stack.callback(logs.close)
        return asyncio.run(_visit(settings, work))


async def _visit(settings: Settings, work: Callable[[Store], Awaitable[R]]) -> R:
    store = await connect(settings)
    try:
        return await work(store.ports)
    except StorageUnavailable as error:
        doubt = " Whether it was done is not known." if error.sent else ""
        raise StartRefused(f"{error}{doubt}") from None
    finally:
        await store.close()
