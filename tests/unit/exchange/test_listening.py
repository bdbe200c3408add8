import asyncio
import contextlib
import socket
import sys

import pytest

from exchange import listening
from exchange.listening import (
    SEND_BUFFER_BYTES,
    USER_TIMEOUT_MS,
    node_socket,
    node_sockets,
    port_of,
    reachable,
    reserve,
)
from exchange.refusal import StartRefused

HOST = "127.0.0.1"
linux = pytest.mark.skipif(sys.platform != "linux", reason="socket options of Linux")


def test_port_0_reserves_a_free_one():
    with reserve(HOST, 0, variable="--port") as placeholder:
        assert port_of(placeholder) > 0


def test_a_reserved_port_is_refused_to_others():
    with reserve(HOST, 0, variable="--port") as placeholder:
        port = port_of(placeholder)
        with pytest.raises(StartRefused, match=f"^Port {port} on {HOST} is in use .* choose another with --port.$"):
            reserve(HOST, port, variable="--port")


def test_a_port_that_another_program_listens_on_is_refused():
    with socket.create_server((HOST, 0)) as other, pytest.raises(StartRefused, match="in use"):
        reserve(HOST, port_of(other), variable="--port")


def test_a_port_that_nodes_of_another_exchange_listen_on_is_refused():
    with reserve(HOST, 0, variable="--port") as placeholder:
        port = port_of(placeholder)
        with node_socket(HOST, port) as node:
            node.listen()
            placeholder.close()
            with pytest.raises(StartRefused, match="in use"):
                reserve(HOST, port, variable="--port")


@pytest.mark.parametrize("share", [True, False])
def test_a_port_where_only_old_connections_linger_is_free(share):
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, share)
        server.bind((HOST, 0))
        server.listen()
        port = port_of(server)
        with socket.create_connection((HOST, port)) as client:
            accepted, _ = server.accept()
            # Whoever closes first lingers.
            accepted.close()
            assert client.recv(1) == b""
    with reserve(HOST, port, variable="--port"), node_socket(HOST, port) as node:
        node.listen()


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(StartRefused, match=r"has no address 192\.0\.2\.1"):
        reserve("192.0.2.1", 0, variable="--port")


def test_a_name_that_is_unknown_is_refused():
    with pytest.raises(StartRefused, match=r"nobody\.invalid to listen on is unknown"):
        reserve("nobody.invalid", 0, variable="--port")


async def test_connections_go_only_to_nodes_that_listen():
    served = set()

    async def note(name, writer):
        served.add(name)
        writer.close()

    with reserve(HOST, 0, variable="--port") as placeholder:
        port = port_of(placeholder)
        with node_socket(HOST, port) as silent, node_socket(HOST, port) as serving:
            assert port_of(silent) == port
            async with await asyncio.start_server(lambda _, writer: note("serving", writer), sock=serving):
                for _ in range(50):
                    reader, writer = await asyncio.open_connection(HOST, port)
                    assert await reader.read() == b""
                    writer.close()
    assert served == {"serving"}


@linux
def test_accepted_sockets_give_up_a_peer_that_takes_nothing_and_queue_little_for_it():
    with reserve(HOST, 0, variable="--port") as placeholder, node_socket(HOST, port_of(placeholder)) as node:
        node.listen()
        node.setblocking(True)
        with socket.create_connection(node.getsockname()):
            accepted, _ = node.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT_MS
                # Linux reports the double: it counts its own book-keeping.
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER_BYTES


@pytest.mark.parametrize(
    ("host", "part"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("10.1.2.3", "10.1.2.3"), ("magi", "magi")],
)
def test_a_wildcard_is_reachable_on_loopback(host, part):
    assert reachable(host) == part


@pytest.mark.parametrize("with_relay", [True, False])
def test_a_node_listens_where_it_is_told_to_and_closes_all_in_the_end(with_relay):
    with contextlib.ExitStack() as held:
        ports = [port_of(held.enter_context(reserve(HOST, 0, variable="--port"))) for _ in range(3)]
        main, ops, relay = [(HOST, port) for port in ports]
        with node_sockets(main, ops, relay if with_relay else None) as sockets:
            opened = [one for one in sockets if one is not None]
            assert [port_of(one) for one in opened] == ports[: len(opened)]
            assert len(opened) == (3 if with_relay else 2)
            assert (sockets.relay is not None) == with_relay
        assert all(one.fileno() == -1 for one in opened)


def test_sockets_that_were_opened_are_closed_when_a_later_one_cannot_be(monkeypatch):
    opened = []

    def first_two(host, port):
        if len(opened) == 2:
            raise OSError
        opened.append(socket.socket())
        return opened[-1]

    monkeypatch.setattr(listening, "node_socket", first_two)
    with pytest.raises(OSError), node_sockets((HOST, 1), (HOST, 2), (HOST, 3)):
        pass
    assert [one.fileno() for one in opened] == [-1, -1]
