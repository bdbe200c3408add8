"""Opening the two connections against a real server."""

import hashlib
import socket

import pytest
import redis

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.connection import Break, Counters
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.pair import BATCH_COUNT, Pair
from exchange.storage.redis.scripts import Script
from tests.harness.relay import certificate, relay
from tests.harness.waiting import WAIT_SECONDS


def script(source, name="one"):
    return Script(name, source, hashlib.sha1(source.encode()).hexdigest(), (), ())


def new_pair(log=None):
    log = [] if log is None else log
    return Pair(
        Counters(),
        timeout_seconds=WAIT_SECONDS,
        on_break=log.append,
        on_read=lambda: None,
        on_message=lambda channel, payload: log.append((channel, payload)),
    )


async def open_pair(endpoint, *scripts, seconds=WAIT_SECONDS):
    pair = new_pair()
    try:
        await pair.open(endpoint, connect_timeout_seconds=seconds, scripts=scripts)
        return await pair.commands.reply("PING")
    finally:
        pair.close(Break.STOPPED)
        await pair.gone()


async def refusal(endpoint, *scripts, seconds=WAIT_SECONDS):
    with pytest.raises(StorageUnavailable) as caught:
        await open_pair(endpoint, *scripts, seconds=seconds)
    assert not caught.value.sent
    assert "s3cret" not in str(caught.value)
    assert str(endpoint) in str(caught.value)
    return str(caught.value)


def admin(server):
    return redis.Redis(unix_socket_path=str(server.socket))


async def test_both_connections_are_named_and_the_scripts_loaded(valkey):
    pair = new_pair()
    one = script("return 'one'")
    await pair.open(Endpoint.parse(f"{valkey.url}?db=3"), connect_timeout_seconds=WAIT_SECONDS, scripts=[one])
    assert await pair.commands.reply("EVALSHA", one.sha, 0) == b"one"
    with admin(valkey) as client:
        found = {(entry["name"], entry["db"]) for entry in client.client_list()}
    assert {("magi-commands", "3"), ("magi-messages", "3")} <= found
    pair.close(Break.STOPPED)
    await pair.gone()


async def test_more_channels_than_one_batch_are_all_confirmed(valkey):
    pair = new_pair()
    await pair.open(Endpoint.parse(valkey.url), connect_timeout_seconds=WAIT_SECONDS, scripts=[])
    names = [b"channel-%d" % number for number in range(2 * BATCH_COUNT + 1)]
    await pair.subscribe(names)
    with admin(valkey) as client:
        assert all(count == 1 for _, count in client.pubsub_numsub(*names))
    pair.close(Break.STOPPED)
    await pair.gone()


async def test_the_end_of_one_connection_is_the_end_of_both(valkey):
    log = []
    pair = new_pair(log)
    await pair.open(Endpoint.parse(valkey.url), connect_timeout_seconds=WAIT_SECONDS, scripts=[])
    pair.messages.close(Break.LOST)
    await pair.gone()
    assert pair.commands.broken is Break.LOST
    assert log == [Break.LOST]


async def test_a_missing_server_is_named(tmp_path):
    text = await refusal(Endpoint(path=str(tmp_path / "absent.sock"), password="s3cret"))
    assert "no connection: No such file or directory" in text


async def test_a_closed_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        text = await refusal(Endpoint(host="127.0.0.1", port=taken.getsockname()[1]))
    assert "no connection" in text


async def test_a_server_that_does_not_take_the_connection_in_time_is_named():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        try:
            for one in crowd:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            assert "no connection within 0.05 s" in await refusal(Endpoint(host="127.0.0.1", port=port), seconds=0.05)
        finally:
            for one in crowd:
                one.close()


async def test_a_wrong_password_is_named_but_not_shown(own_valkey):
    with admin(own_valkey) as client:
        client.config_set("requirepass", "right")
    path = str(own_valkey.socket)
    assert "logging in: WRONGPASS" in await refusal(Endpoint(path=path, password="s3cret"))
    assert "NOAUTH" in await refusal(Endpoint(path=path))
    assert await open_pair(Endpoint(path=path, password="right")) == b"PONG"


async def test_a_user_with_few_rights_gets_in_without_seeing_the_role(own_valkey):
    with admin(own_valkey) as client:
        client.execute_command("ACL", "SETUSER", "node", "on", ">right", "~*", "&*", "+@all", "-role")
    path = str(own_valkey.socket)
    assert await open_pair(Endpoint(path=path, user="node", password="right")) == b"PONG"
    assert "WRONGPASS" in await refusal(Endpoint(path=path, user="node", password="s3cret"))


async def test_a_wrong_database_is_named(valkey):
    text = await refusal(Endpoint.parse(f"{valkey.url}?db=9999"))
    assert "choosing database 9999: ERR DB index is out of range" in text


async def test_a_replica_is_refused(own_valkey):
    with admin(own_valkey) as client:
        client.replicaof("127.0.0.1", "1")
    assert "it is not a primary" in await refusal(Endpoint.parse(own_valkey.url))


async def test_a_script_that_does_not_compile_is_named(valkey):
    text = await refusal(Endpoint.parse(valkey.url), script("return (", name="broken"))
    assert "loading the script broken: ERR" in text


async def test_a_server_that_speaks_something_else_is_refused(tmp_path):
    import asyncio

    async def serve(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "http.sock")
    try:
        text = await refusal(Endpoint(path=str(tmp_path / "http.sock")))
        assert "naming the connection: the connection broke (protocol)" in text
    finally:
        server.close()
        await server.wait_closed()


async def test_it_works_over_tcp_without_delay_and_with_keepalive(valkey):
    async with relay(valkey.socket) as port:
        pair = new_pair()
        await pair.open(Endpoint(host="127.0.0.1", port=port), connect_timeout_seconds=WAIT_SECONDS, scripts=[])
        sock = pair.commands._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert await pair.commands.reply("PING") == b"PONG"
        pair.close(Break.STOPPED)
        await pair.gone()


async def test_tls_works_with_a_trusted_certificate_only(valkey, tmp_path, monkeypatch):
    context, trusted = certificate(tmp_path, "localhost")
    async with relay(valkey.socket, context) as port:
        endpoint = Endpoint(host="localhost", port=port, tls=True)
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(endpoint)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert await open_pair(endpoint) == b"PONG"
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(Endpoint(host="127.0.0.1", port=port, tls=True))
