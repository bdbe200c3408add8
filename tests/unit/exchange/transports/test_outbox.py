import asyncio

from structlog.testing import capture_logs

from exchange.transports.outbox import Outbox


class Letter:
    def __init__(self, sent: list[str], name: str) -> None:
        self.sent = sent
        self.name = name

    def flush(self) -> None:
        self.sent.append(self.name)


class Torn:
    def flush(self) -> None:
        raise RuntimeError("no")


async def test_senders_are_flushed_at_the_end_of_the_tick_in_order() -> None:
    outbox, sent = Outbox(), list[str]()
    outbox.add(Letter(sent, "a"))
    outbox.add(Letter(sent, "b"))
    assert sent == []
    await asyncio.sleep(0)
    assert sent == ["a", "b"]


async def test_nobody_is_flushed_twice() -> None:
    outbox, sent = Outbox(), list[str]()
    outbox.add(Letter(sent, "a"))
    await asyncio.sleep(0)
    outbox.add(Letter(sent, "b"))
    await asyncio.sleep(0)
    assert sent == ["a", "b"]


async def test_one_broken_sender_does_not_hold_back_the_others() -> None:
    outbox, sent = Outbox(), list[str]()
    outbox.add(Torn())
    outbox.add(Letter(sent, "a"))
    with capture_logs() as logs:
        await asyncio.sleep(0)
    assert sent == ["a"]
    assert logs[0]["event"] == "outbox.failed"
