import asyncio

import pytest

from magi.cli import peek
from magi.cli.peek import Away, Peephole
from magi.daemon import protocol
from magi.daemon.port import Inbox, Item, Waiting
from magi.daemon.server import FaceServer
from tests.harness.waiting import WAIT_SECONDS
from tests.unit.magi.daemon.fake import FakeDesk


@pytest.fixture
async def served(tmp_path_factory):
    """A fake desk behind a socket, and the way to it."""
    desk = FakeDesk()
    path = tmp_path_factory.mktemp("d") / "s"
    server = FaceServer(desk, version="0.1.0", on_retire=lambda: None)
    await server.open(path)
    yield desk, path
    await server.close()


def opened(path, face="hook"):
    return Peephole(path, face=face, client="codex", session="codex-s1", seconds=WAIT_SECONDS)


def looked(path):
    """Look once."""
    peephole = opened(path)
    peephole.ask_for_inbox()
    found = peephole.next()
    peephole.close()
    return found


def test_it_speaks_the_daemons_protocol():
    assert peek.PROTOCOL == protocol.PROTOCOL


async def test_it_sees_what_waits_and_claims_nothing(served):
    desk, path = served
    desk.answers["inbox"] = Inbox((Item("q1", "bob", "ask", "?", 1),), Waiting(("bob",)))
    is_change, inbox = await asyncio.to_thread(looked, path)
    assert not is_change
    assert inbox["items"][0]["id"] == "q1"
    assert inbox["waiting"]["questions"] == ["bob"]
    ((_, arguments),) = desk.calls
    assert arguments["peek"] is True
    assert (arguments["caller"].session, arguments["caller"].origin) == ("codex-s1", "model")


async def test_a_value_in_parts_is_put_together(served):
    desk, path = served
    desk.answers["inbox"] = Inbox((Item("q1", "bob", "ask", "x" * 3_000_000, 1),), Waiting(("bob",)))
    _, inbox = await asyncio.to_thread(looked, path)
    assert len(inbox["items"][0]["text"]) == 3_000_000


async def test_a_second_one_that_wants_to_be_alone_is_sent_away(served):
    _, path = served
    first = await asyncio.to_thread(opened, path, "wake")
    with pytest.raises(Away):
        await asyncio.to_thread(opened, path, "wake")
    first.close()


def test_where_nobody_listens_there_is_nobody(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        opened(tmp_path / "none")
