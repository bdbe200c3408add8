"""Time that a fault or a client takes. What a test waits for is waited for with ``eventually`` instead."""

import asyncio


async def pause(seconds: float) -> None:
    """Let time pass because it is part of what is played: how long a fault lasts, how late a client is."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(max(0.0, seconds), over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()
