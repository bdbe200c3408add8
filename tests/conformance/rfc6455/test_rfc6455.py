"""Our socket against RFC 6455, byte by byte, through a real uvicorn on both loops."""

from collections.abc import Iterator

import pytest

from exchange.front import Ending
from tests.conformance.rfc6455.cases import CASES, EOF, OPEN, Case
from tests.harness.raw_socket import CLOSE, PING, PONG, RawSocket, close_payload, frame
from tests.harness.socket_server import SocketServer

ENDINGS = {1002: Ending.PROTOCOL, 1007: Ending.PROTOCOL, 1009: Ending.SIZE}


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[SocketServer]:
    with SocketServer(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def bystander(server: SocketServer) -> Iterator[RawSocket]:
    """A connection that lives through all cases."""
    with RawSocket.upgraded(server.port) as client:
        server.conversation()
        yield client


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer_is_what_the_rfc_demands(server: SocketServer, bystander: RawSocket, case: Case) -> None:
    with RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        for chunk in case.chunks:
            client.send(chunk)
        if case.half_close:
            client.end()
        assert tuple(client.frame() for _ in case.back) == case.back
        expected = Ending.CLIENT
        if case.end == OPEN:
            client.send(frame(PING, b"still there?"))
            assert client.frame() == (PONG, b"still there?")
            client.send(frame(CLOSE, close_payload(1000)))
            assert client.closed() == (1000, b"")
        elif case.end == EOF:
            client.ended()
        else:
            code, _ = client.closed()
            assert code == case.end
            if not _is_answer(case):
                expected = ENDINGS[code]
    assert conversation.ending() is expected
    bystander.echo()


def _is_answer(case: Case) -> bool:
    """Whether the node's close frame answers one of the peer: then it is the peer who ended the connection."""
    return case.end == 1005 or case.end not in ENDINGS or case.name == f"close_{case.end}_is_answered"


def test_table_is_large_and_its_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 250  # SEC-64
