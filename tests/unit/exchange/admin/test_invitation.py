from urllib.parse import parse_qs, urlsplit

import pytest
import segno

from exchange.admin.invitation import is_of_this_machine, link_of, qr_columns, qr_of, relay_url
from exchange.admin.outcome import Declined
from exchange.settings import load

TOKEN = "oc_pair_0123456789abcdef0123456789abcdef"
RELAY = "wss://relay.example.com/coralmux/ws"
LINK = link_of(TOKEN, RELAY)
TLS = {"EXCHANGE_RELAY__TLS_CERTIFICATE_FILE": "/c.pem", "EXCHANGE_RELAY__TLS_KEY_FILE": "/k.pem"}
LISTENER = {"EXCHANGE_RELAY__LISTENER": "true"}
BLOCKS = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
"""Upper and lower module of a character; 1 is dark, which shows the background."""


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "ws://127.0.0.1:8082/coralmux/ws"),
        ({"EXCHANGE_LISTEN__HOST": "0.0.0.0", "PORT": "9000"}, "ws://127.0.0.1:9000/coralmux/ws"),
        ({"EXCHANGE_LISTEN__HOST": "::1"}, "ws://[::1]:8082/coralmux/ws"),
        ({"EXCHANGE_LISTEN__PUBLIC_URL": "https://magi.example"}, "wss://magi.example/coralmux/ws"),
        (LISTENER, "ws://127.0.0.1:8443/ws"),
        ({**LISTENER, "EXCHANGE_RELAY__LISTENER_HOST": "192.0.2.1"}, "ws://192.0.2.1:8443/ws"),
        ({**LISTENER, **TLS}, "wss://127.0.0.1:8443/ws"),
        ({**LISTENER, "EXCHANGE_RELAY__PUBLIC_URL": RELAY}, RELAY),
        ({"EXCHANGE_RELAY__ENABLED": "false", "EXCHANGE_RELAY__PUBLIC_URL": RELAY}, RELAY),
    ],
)
def test_the_address_of_the_relay_is_what_the_settings_tell(environ, url):
    assert relay_url(load(environ)) == url


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"PORT": "0"}, "picked at every start"),
        ({**LISTENER, "EXCHANGE_RELAY__LISTENER_PORT": "0"}, "picked at every start"),
        ({"EXCHANGE_RELAY__ENABLED": "false"}, "is off in these settings"),
        ({"EXCHANGE_RELAY__PUBLIC_URL": f"wss://h/{'x' * 500}"}, "longer than 500"),
    ],
)
def test_an_address_that_nobody_could_use_is_declined(environ, words):
    with pytest.raises(Declined, match=f"{words}.*EXCHANGE_RELAY__PUBLIC_URL"):
        relay_url(load(environ))


def test_the_longest_address_fits_into_a_qr_code():
    url = "wss://h/" + "%" * 492
    assert relay_url(load({"EXCHANGE_RELAY__PUBLIC_URL": url})) == url
    assert qr_columns(link_of(TOKEN, url)) > 0


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("ws://127.0.0.1:8082/coralmux/ws", True),
        ("ws://localhost/ws", True),
        ("ws://[::1]:1/ws", True),
        ("ws://192.168.0.2/ws", False),
        (RELAY, False),
    ],
)
def test_an_address_that_no_phone_reaches_is_known(url, is_local):
    assert is_of_this_machine(url) is is_local


def test_the_link_holds_token_and_address_for_a_phone():
    """CORAL-31"""
    assert LINK == f"openclaw://pair?token={TOKEN}&relay=wss%3A%2F%2Frelay.example.com%2Fcoralmux%2Fws"
    relay = "wss://h/ws?a=1&token=other#x y"
    link = urlsplit(link_of(TOKEN, relay))
    assert parse_qs(link.query, strict_parsing=True) == {"token": [TOKEN], "relay": [relay]}
    assert link.fragment == ""


@pytest.mark.parametrize("coloured", [False, True])
def test_the_qr_code_shows_the_modules_of_the_link_with_a_quiet_zone(coloured):
    text = qr_of(LINK, coloured=coloured)
    lines = text.replace("\x1b[97;40m", "").replace("\x1b[0m", "").splitlines()
    rows = [list(row) for line in lines for row in zip(*(BLOCKS[block] for block in line), strict=True)]
    code = segno.make_qr(LINK)
    wanted = [list(row) for row in code.matrix_iter(border=4)]
    assert rows[: len(wanted)] == wanted
    assert {len(line) for line in lines} == {qr_columns(LINK)} == {len(wanted[0])}


def test_the_qr_code_of_a_terminal_brings_its_own_background():
    lines = qr_of(LINK, coloured=True).splitlines()
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in lines)
    assert "\x1b" not in qr_of(LINK, coloured=False)


def test_the_qr_code_of_a_usual_link_fits_into_eighty_columns():
    assert qr_columns(LINK) <= 80
