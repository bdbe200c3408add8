import asyncio
from contextlib import aclosing

import pytest

from magi.client.errors import StillOpen, TooLarge
from magi.daemon import remote
from magi.daemon.port import AskView, Caller, DaemonAway, Inbox, Item, Waiting
from magi.daemon.protocol import LINE_BYTES, METHODS, Welcome, line_of
from magi.daemon.remote import FaceLine, RemoteDesk, hello
from tests.harness.waiting import eventually
from tests.unit.magi.daemon.fake import BOB, ITEM, MODEL, STATUS


async def test_arguments_and_values_cross_as_they_are(table):
    desk = await table.face()
    view = AskView("a1", "bob", "queued", "kept by the exchange for bob")
    table.desk.answers["ask"] = view
    assert await desk.ask("bob", "Which Redis?", caller=MODEL, wants_answer=False) == view
    name, args = table.desk.calls[0]
    assert (name, args["who"], args["caller"], args["wants_answer"]) == ("ask", "bob", MODEL, False)
    assert await desk.friends() == (BOB,)
    assert await desk.status() == STATUS
    assert await desk.inbox(caller=MODEL) == Inbox((ITEM,), Waiting(questions=("bob",)))


async def test_every_method_of_the_port_is_there_and_nothing_else(table):
    desk = await table.face()
    assert all(callable(getattr(desk, name)) for name in METHODS)
    with pytest.raises(AttributeError):
        _ = desk.fly


async def test_an_error_is_raised_as_the_same_class(table):
    table.desk.answers["withdraw"] = StillOpen("a1", "queued")
    with pytest.raises(StillOpen) as caught:
        await (await table.face()).withdraw("a1")
    assert (caught.value.ask_id, caught.value.state) == ("a1", "queued")


async def test_a_long_wait_does_not_hold_up_other_calls(table):
    table.desk.answers |= {"wait": asyncio.Event(), "wait then": AskView("a1", "bob", "answered", "answered")}
    desk = await table.face()
    waiting = asyncio.create_task(desk.wait("a1", 50.0))
    await eventually(lambda: table.desk.calls)
    assert await desk.status() == STATUS
    table.desk.answers["wait"].set()
    assert (await waiting).state == "answered"


async def test_a_cancelled_call_is_cancelled_at_the_daemon(table):
    table.desk.answers["wait"] = asyncio.Event()
    desk = await table.face()
    waiting = asyncio.create_task(desk.wait("a1", 50.0))
    await eventually(lambda: table.desk.calls)
    waiting.cancel()
    await eventually(lambda: table.desk.cancelled == ["wait"])
    assert await desk.status() == STATUS


async def test_events_end_at_the_daemon_when_nobody_listens(table):
    desk = await table.face()
    table.desk.waiting.put_nowait(Inbox((), Waiting(held=1)))
    async with aclosing(desk.events()) as events:
        assert (await anext(events)).waiting.held == 1
    await eventually(lambda: table.desk.cancelled == ["events"])


async def test_a_value_longer_than_a_line_arrives_whole(table):
    item = Item("q1", "bob", "ask", "\N{CRAB}" * LINE_BYTES, 1)
    table.desk.answers["inbox"] = Inbox((item, item), Waiting())
    desk = await table.face()
    inbox, status = await asyncio.gather(desk.inbox(caller=MODEL), desk.status())
    assert inbox.items == (item, item)
    assert status == STATUS


async def test_a_call_longer_than_a_line_is_refused_here(table):
    desk = await table.face()
    with pytest.raises(TooLarge):
        await desk.ask("bob", "x" * LINE_BYTES, caller=Caller())
    assert table.desk.calls == []
    assert await desk.status() == STATUS


async def test_without_a_daemon_there_is_no_desk(place):
    with pytest.raises(DaemonAway, match="not running"):
        await RemoteDesk.open(lambda: FaceLine.open(place / "none.sock", hello("cli", version="0")))


async def test_the_next_call_finds_the_daemon_that_came_after(table):
    desk = await table.face()
    await table.server.close()
    await table.open()
    assert await desk.status() == STATUS


async def test_a_harmless_call_is_made_again_when_the_daemon_dies(place):
    told = [b"", b'{"type":"result","n":1,"value":[]}\n']
    async with dying(place / "magi.sock", told) as desk:
        assert await desk.friends() == ()
    assert told == []


async def test_any_other_call_says_that_nobody_knows_whether_it_was_done(place):
    told = [b"", b"never said"]
    async with dying(place / "magi.sock", told) as desk:
        with pytest.raises(DaemonAway, match="may or may not"):
            await desk.answer("q1", "8.4", caller=Caller())
    assert told == [b"never said"]


async def test_an_ask_is_made_again_under_its_own_id(table):
    """CLI-25: a face that was cut off makes no second question of it."""
    view = AskView("a1", "bob", "pending", "not sent yet")
    table.desk.answers |= {"ask": asyncio.Event(), "ask then": view}
    desk = await table.face()
    asking = asyncio.create_task(desk.ask("bob", "Which Redis?", caller=Caller()))
    await eventually(lambda: table.desk.calls)
    await table.server.close()
    table.desk.answers["ask"].set()
    await table.open()
    assert await asking == view
    first, second = (args["id"] for _, args in table.desk.calls)
    assert first == second != ""


async def test_events_of_a_daemon_that_dies_end_with_an_error(place):
    async with dying(place / "magi.sock", [b""]) as desk:
        with pytest.raises(DaemonAway):
            await anext(desk.events())


@pytest.mark.parametrize("told", [b"what?\n", b'{"type":"result"}\n', b"x" * (LINE_BYTES + 1)])
async def test_a_daemon_that_makes_no_sense_is_as_good_as_gone(place, told):
    async with dying(place / "magi.sock", [told]) as desk:
        with pytest.raises(DaemonAway):
            await desk.withdraw("a1")


async def test_what_listens_but_does_not_greet_is_no_daemon(place, monkeypatch):
    monkeypatch.setattr(remote, "WELCOME_SECONDS", 0.2)
    met = []
    async with await asyncio.start_unix_server(lambda _, writer: met.append(writer), place / "mute.sock"):
        with pytest.raises(DaemonAway):
            await FaceLine.open(place / "mute.sock", hello("cli", version="0"))
        met[0].close()


async def test_retiring_returns_when_the_daemon_has_left(table):
    line = await table.line()
    retiring = asyncio.create_task(line.retire())
    await eventually(lambda: table.retired)
    assert not retiring.done()
    await table.server.close()
    await retiring


class dying:
    """A daemon that greets, reads one call, says one of ``told`` and dies, again and again; and a face of it."""

    def __init__(self, path, told):
        self.path = path
        self.told = told

    async def __aenter__(self):
        self.server = await asyncio.start_unix_server(self.meet, self.path)
        self.desk = RemoteDesk(lambda: FaceLine.open(self.path, hello("cli", version="0")))
        return self.desk

    async def __aexit__(self, *_):
        await self.desk.close()
        self.server.close()

    async def meet(self, reader, writer):
        await reader.readline()
        writer.write(line_of(Welcome(1)))
        await reader.readline()
        writer.write(self.told.pop(0))
        writer.close()
