"""The way to an exchange."""

import asyncio
import contextlib
import socket

import pytest

from magi.cli import reach
from magi.cli.statuses import Status
from magi.testing import ScriptedExchange


async def found(address):
    """Return the links of the way, in order."""
    return [finding async for finding in reach.links(address, 1)]


def names(findings):
    return [finding.link for finding in findings]


@contextlib.asynccontextmanager
async def listening(says=b""):
    """Give the port of something that says something and hangs up when it is spoken to."""

    async def meet(reader, writer):
        await reader.read(1)
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_every_link_to_an_exchange_is_there():
    async with ScriptedExchange() as exchange:
        findings = await found(exchange.address)
    assert names(findings) == ["resolve", "tcp", "tls", "upgrade", "greeting"]
    assert not any(finding.broken for finding in findings)
    assert [finding.tested for finding in findings] == [True, True, False, True, True]
    assert {tuple(finding.facts.items()) for finding in findings} == {(("server", 1),)}


async def test_where_nobody_listens_the_way_ends_at_tcp():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        findings = await found(f"ws://127.0.0.1:{taken.getsockname()[1]}/")
    assert names(findings) == ["resolve", "tcp"]
    assert findings[-1].status == Status.AWAY
    assert findings[-1].said.startswith("Nobody listens at 127.0.0.1")
    assert findings[-1].advice


async def test_a_name_that_nobody_knows_ends_the_way_at_once(monkeypatch):
    async def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    (finding,) = await found("wss://exchange.invalid/")
    assert (finding.link, finding.broken) == ("resolve", True)
    assert "exchange.invalid is not known" in finding.said


async def test_a_server_without_tls_ends_the_way_there():
    async with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        findings = await found(f"wss://127.0.0.1:{port}/")
    assert names(findings) == ["resolve", "tcp", "tls"]
    assert findings[-1].broken


async def test_a_server_of_another_kind_ends_the_way_at_the_upgrade():
    async with listening(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as port:
        findings = await found(f"ws://127.0.0.1:{port}/")
    assert names(findings)[-1] == "upgrade"
    assert "no exchange at this path" in findings[-1].said


@pytest.mark.parametrize("greeting", ['{"type":"hello"}', "not json", None])
async def test_what_does_not_greet_like_an_exchange_is_none(monkeypatch, greeting):
    class Connection:
        async def recv(self):
            if greeting is None:
                await asyncio.Event().wait()
            return greeting

        async def close(self):
            closed.append(True)

    async def dial(_):
        return Connection()

    closed = []
    monkeypatch.setattr(reach, "dial", dial)
    monkeypatch.setattr(reach, "GREETING_SECONDS", 0.01)
    async with listening() as port:
        findings = await found(f"ws://127.0.0.1:{port}/")
    assert names(findings)[-1] == "greeting"
    assert findings[-1].broken
    assert closed == [True]


async def test_behind_a_proxy_what_lies_below_is_the_proxys(monkeypatch):
    async def dial(address):
        raise reach.NotConnected(f"The proxy of this machine does not lead to {address}.")

    monkeypatch.setattr(reach, "get_proxy", lambda _: "http://proxy.example.com:3128")
    monkeypatch.setattr(reach, "dial", dial)
    assert names(await found("wss://exchange.example.com/")) == ["proxy", "upgrade"]


async def test_a_way_that_others_can_read_is_named(monkeypatch):
    async with listening() as port:
        monkeypatch.setattr(reach, "is_encrypted", lambda _: False)
        findings = await found(f"ws://127.0.0.1:{port}/")
    assert "careful: not encrypted on the way" in findings[2].said
