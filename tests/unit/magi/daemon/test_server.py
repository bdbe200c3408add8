import asyncio
import json
import os
import socket
import stat

import pytest

from magi.client.errors import NotFriends
from magi.daemon import server
from magi.daemon.port import DaemonAway, Inbox, Waiting
from magi.daemon.protocol import LINE_BYTES, PROTOCOL
from magi.daemon.remote import TurnedAwayError
from tests.harness.waiting import WAIT_SECONDS, eventually
from tests.unit.magi.daemon.fake import STATUS

HELLO = {"type": "hello", "protocol": PROTOCOL, "face": "cli"}


class Talk:
    """A face that says lines of its own making."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def say(self, *lines: object) -> "Talk":
        for line in lines:
            self.writer.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        await self.writer.drain()
        return self

    async def hear(self) -> dict:
        async with asyncio.timeout(WAIT_SECONDS):
            return json.loads(await self.reader.readline())

    async def ended(self) -> bool:
        async with asyncio.timeout(WAIT_SECONDS):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@pytest.fixture
async def talk(table):
    reader, writer = await asyncio.open_unix_connection(str(table.path))
    yield Talk(reader, writer)
    writer.close()


async def test_the_socket_is_for_its_owner_only(table):
    mode = table.path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_a_stale_socket_is_replaced(table, place):
    stale = place / "stale.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(stale))
    table.path = stale
    await table.open()
    assert await (await table.face()).status() == STATUS


async def test_a_face_is_welcomed_and_counted_until_it_leaves(table, talk):
    await talk.say(HELLO)
    assert await talk.hear() == {"type": "welcome", "protocol": PROTOCOL, "version": "0.1.0", "pid": os.getpid()}
    assert [one.face for one in table.desk.here] == ["cli"]
    talk.writer.close()
    await eventually(lambda: not table.desk.here)


async def test_calls_are_answered_in_any_order(table, talk):
    table.desk.answers |= {"wait": asyncio.Event(), "wait then": None}
    call = {"type": "call", "n": 1, "method": "wait", "args": {"ask_id": "a1", "seconds": 50}}
    await talk.say(HELLO, call, {"type": "call", "n": 2, "method": "friends"})
    assert (await talk.hear())["type"] == "welcome"
    assert (await talk.hear())["n"] == 2
    table.desk.answers["wait"].set()
    assert await talk.hear() == {"type": "result", "n": 1, "value": None}


async def test_a_cancelled_call_ends_and_has_no_reply(table, talk):
    table.desk.answers["wait"] = asyncio.Event()
    await talk.say(HELLO, {"type": "call", "n": 1, "method": "wait", "args": {"ask_id": "a1", "seconds": 50}})
    await eventually(lambda: table.desk.calls)
    await talk.say({"type": "cancel", "n": 1}, {"type": "cancel", "n": 99})
    await eventually(lambda: table.desk.cancelled == ["wait"])
    await talk.hear()
    await talk.say({"type": "call", "n": 1, "method": "friends"})
    assert (await talk.hear())["n"] == 1, "the number is free again"


async def test_what_a_face_waits_for_is_cancelled_when_it_goes_away(table):
    table.desk.answers["wait"] = asyncio.Event()
    face = await table.face()
    waiting = asyncio.create_task(face.wait("a1", 50.0))
    await eventually(lambda: table.desk.calls)
    await face.close()
    await eventually(lambda: table.desk.cancelled == ["wait"])
    with pytest.raises(DaemonAway):
        await waiting


async def test_events_flow_until_they_are_cancelled(table, talk):
    await talk.say(HELLO, {"type": "call", "n": 7, "method": "events"})
    await talk.hear()
    for held in (1, 2):
        table.desk.waiting.put_nowait(Inbox((), Waiting(held=held)))
        told = await talk.hear()
        assert (told["type"], told["n"], told["value"]["waiting"]["held"]) == ("event", 7, held)
    await talk.say({"type": "cancel", "n": 7})
    await eventually(lambda: table.desk.cancelled == ["events"])


async def test_an_error_of_the_desk_crosses_with_its_fields(table, talk):
    table.desk.answers["unfriend"] = NotFriends("No active connection", "no_friends", 5)
    await talk.say(HELLO, {"type": "call", "n": 1, "method": "unfriend", "args": {"who": "bob"}})
    await talk.hear()
    fields = {"text": "No active connection", "code": "no_friends", "retry_after_ms": 5}
    assert await talk.hear() == {"type": "failed", "n": 1, "error": "NotFriends", "fields": fields}


async def test_a_mistake_of_the_daemon_is_logged_and_its_text_does_not_cross(table, talk, caplog):
    table.desk.answers["friends"] = RuntimeError("private")
    await talk.say(HELLO, {"type": "call", "n": 1, "method": "friends"})
    await talk.hear()
    told = await talk.hear()
    assert told["error"] == "DeskError"
    assert "private" not in json.dumps(told)
    assert "call.failed method=friends" in caplog.text


@pytest.mark.parametrize(
    "call",
    [
        {"method": "fly"},
        {"method": "close"},
        {"method": "wait"},
        {"method": "wait", "args": {"ask_id": 1, "seconds": 1}},
    ],
)
async def test_a_call_that_cannot_be_made_is_a_usage_error(table, talk, call):
    await talk.say(HELLO, {"type": "call", "n": 1, **call})
    await talk.hear()
    told = await talk.hear()
    assert (told["error"], told["fields"]["exit_status"]) == ("DeskError", 2)
    assert table.desk.calls == []


@pytest.mark.parametrize(
    "lines",
    [
        [b"GET / HTTP/1.1\r\n\r\n"],
        [{"type": "call", "n": 1, "method": "status"}],
        [HELLO, b"\n"],
        [HELLO, {"type": "hello", "protocol": "1"}],
        [HELLO, b" " * (LINE_BYTES + 1) + b"\n"],
    ],
    ids=["no JSON", "no hello", "empty", "wrong type", "too long"],
)
async def test_a_face_that_does_not_speak_as_it_should_is_dropped(table, talk, lines):
    await talk.say(*lines)
    if lines[0] == HELLO:
        await talk.hear()
    assert await talk.ended()
    assert await (await table.face()).status() == STATUS, "others are served"


async def test_a_number_in_use_or_too_many_calls_end_the_line(table, talk, monkeypatch):
    table.desk.answers["friends"] = asyncio.Event()
    monkeypatch.setattr(server, "CALLS_MOST", 2)
    await talk.say(HELLO, *({"type": "call", "n": n, "method": "friends"} for n in (1, 2)))
    await talk.hear()
    await eventually(lambda: len(table.desk.calls) == 2)
    await talk.say({"type": "call", "n": 3, "method": "friends"})
    assert await talk.ended()
    await eventually(lambda: table.desk.cancelled == ["friends", "friends"])


async def test_a_face_of_another_protocol_may_only_retire_the_daemon(table, talk):
    await talk.say({**HELLO, "protocol": PROTOCOL + 1})
    assert (await talk.hear())["protocol"] == PROTOCOL
    await talk.say({"type": "retire"})
    await eventually(lambda: table.retired)
    await talk.say({"type": "call", "n": 1, "method": "friends"})
    assert await talk.ended()
    assert table.desk.here == []


async def test_one_session_has_one_waking_face(table):
    """CLI-43: a second one is turned away at once; the place is free when the first is gone."""
    first = await table.line("wake", client="claude-code", session="s1")
    await table.line("wake", client="claude-code", session="s2")
    with pytest.raises(TurnedAwayError):
        await table.line("wake", client="claude-code", session="s1")
    await first.close()
    await eventually(lambda: len(table.desk.here) == 1)
    await table.line("wake", client="claude-code", session="s1")


async def test_closing_ends_all_faces(table):
    line = await table.line()
    await table.server.close()
    await eventually(lambda: line.ended)
    with pytest.raises(DaemonAway):
        await table.line()


async def test_a_process_of_another_user_is_not_served(table, monkeypatch):
    monkeypatch.setattr(server.os, "getuid", lambda: 12345)
    with pytest.raises(DaemonAway):
        await table.line()
    assert table.desk.here == []
