from collections.abc import Sequence

import h11
import pytest
from structlog.testing import capture_logs
from websockets.http11 import Response

from exchange.front import Doorman, Refusal, SocketRules, Upgrade, Welcome
from exchange.transports.handshake import answer
from tests.harness.raw_socket import upgrade_request
from tests.harness.socket_server import Recorder

WELCOME = Welcome(Recorder(), SocketRules(message_bytes=1, outer_bytes=4))


def ask(
    request: bytes, doorman: Doorman = lambda _: WELCOME, *, peer: str = "192.0.2.1"
) -> tuple[Response, Welcome | None]:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(request)
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    return answer(event, peer, doorman, lambda peer, forwarded: ",".join([*forwarded, peer]))


def upgrade_of(request: bytes) -> Upgrade:
    seen: list[Upgrade] = []

    def doorman(upgrade: Upgrade) -> Welcome:
        seen.append(upgrade)
        return WELCOME

    ask(request, doorman)
    return seen[0]


def test_a_good_request_is_welcomed_with_the_key_of_the_rfc() -> None:
    response, welcome = ask(upgrade_request())
    assert welcome is WELCOME
    assert response.status_code == 101
    assert response.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_offers_are_not_taken() -> None:
    response, welcome = ask(
        upgrade_request("/", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: permessage-deflate")
    )
    assert welcome is WELCOME
    assert "Sec-WebSocket-Protocol" not in response.headers
    assert "Sec-WebSocket-Extensions" not in response.headers


def test_the_doorman_hears_path_origin_and_address() -> None:
    request = upgrade_request("/b%78/%C3%A9?token=secret", "Origin: https://a.test", "X-Forwarded-For: 198.51.100.7")
    assert upgrade_of(request) == Upgrade("/bx/é", "https://a.test", "198.51.100.7,192.0.2.1")


def test_a_request_without_origin_has_none() -> None:
    assert upgrade_of(upgrade_request()).origin is None


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (upgrade_request(version="8"), 400),
        (upgrade_request(key="short"), 400),
        (upgrade_request(key="!" * 24), 400),
        (upgrade_request().replace(b"Sec-WebSocket-Key", b"X-Key"), 400),
        (upgrade_request().replace(b"Sec-WebSocket-Version", b"X-Version"), 400),
        (upgrade_request("/", "Sec-WebSocket-Version: 13"), 400),
        (upgrade_request("/", "Origin: https://a.test", "Origin: https://b.test"), 400),
        (upgrade_request("/", "Content-Length: 5"), 400),
        (upgrade_request("/", "Transfer-Encoding: chunked"), 400),
        (upgrade_request().replace(b"Upgrade: websocket", b"Upgrade: h2c"), 426),
        (upgrade_request("/", "Upgrade: h2c"), 426),
        (upgrade_request(method="POST"), 405),
        (upgrade_request().replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
    ],
)
def test_broken_handshakes_are_refused_before_the_doorman_is_asked(request_: bytes, status: int) -> None:
    def doorman(_: Upgrade) -> Welcome:
        raise AssertionError("asked")

    response, welcome = ask(request_, doorman)
    assert welcome is None
    assert response.status_code == status
    assert response.headers["Connection"] == "close"


def test_another_version_learns_which_one_we_speak() -> None:
    response, _ = ask(upgrade_request(version="8"))
    assert response.headers["Sec-WebSocket-Version"] == "13"


def test_a_refusal_becomes_a_response() -> None:
    response, welcome = ask(upgrade_request(), lambda _: Refusal(503, "Full, sorry.", retry_after_seconds=7))
    assert welcome is None
    assert response.status_code == 503
    assert response.body == b"Full, sorry."
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["Retry-After"] == "7"
    assert response.headers["Connection"] == "close"


def test_a_refusal_without_a_time_has_no_retry_after() -> None:
    response, _ = ask(upgrade_request(), lambda _: Refusal(404, "Not Found"))
    assert "Retry-After" not in response.headers


def test_an_error_of_the_doorman_is_logged_and_tells_nothing() -> None:
    def doorman(_: Upgrade) -> Welcome:
        raise RuntimeError("secret detail")

    with capture_logs() as logs:
        response, welcome = ask(upgrade_request(), doorman)
    assert welcome is None
    assert response.status_code == 500
    assert b"secret" not in response.body
    assert logs[0]["event"] == "upgrade.failed"
    assert logs[0]["incident"].encode() in response.body


def test_an_error_while_the_address_is_sought_is_an_error_of_ours() -> None:
    def nobody(peer: str, forwarded: Sequence[str]) -> str:
        raise RuntimeError("no")

    connection = h11.Connection(h11.SERVER)
    connection.receive_data(upgrade_request())
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    response, welcome = answer(event, "", lambda _: WELCOME, nobody)
    assert (response.status_code, welcome) == (500, None)
