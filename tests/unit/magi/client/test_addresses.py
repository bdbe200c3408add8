"""Twin of ``magi/client/addresses.py``: what is typed, and what is meant (CLI-20)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.client.addresses import canonical, is_encrypted, is_loopback, listed, place
from magi.client.errors import ProfileError

MEANT = {
    "a.example.com": "wss://a.example.com/",
    " a.example.com ": "wss://a.example.com/",
    "A.Example.COM": "wss://a.example.com/",
    "a.example.com:8443": "wss://a.example.com:8443/",
    "a.example.com/bx": "wss://a.example.com/bx",
    "a.example.com:8443/bx?x=1": "wss://a.example.com:8443/bx?x=1",
    "localhost": "ws://localhost:8082/",
    "localhost:9000": "ws://localhost:9000/",
    "my.localhost": "ws://my.localhost:8082/",
    "127.0.0.1": "ws://127.0.0.1:8082/",
    "127.9.9.9/bx": "ws://127.9.9.9:8082/bx",
    "::1": "ws://[::1]:8082/",
    "[::1]:9000": "ws://[::1]:9000/",
    "192.0.2.7": "wss://192.0.2.7/",
    "2001:DB8::7": "wss://[2001:db8::7]/",
    "http://a.example.com": "ws://a.example.com/",
    "https://a.example.com/bx": "wss://a.example.com/bx",
    "HTTPS://a.example.com": "wss://a.example.com/",
    "ws://a.example.com:8082/bx": "ws://a.example.com:8082/bx",
    "ws://localhost": "ws://localhost/",
    "wss://localhost/": "wss://localhost/",
    "bücher.example": "wss://xn--bcher-kva.example/",
}
NONSENSE = [
    *(
        "",
        "  ",
        "a b",
        "a\nb",
        "ftp://a.example.com",
        "://a",
        "wss://",
        "https:///bx",
        "a..example",
        "-/-:x",
        "a:70000",
    ),
    *(
        "a:b:c",
        "[::1",
        "user@a.example.com",
        "wss://u:p@a.example.com",
        "a.example.com#x",
        "a\\b",
        "x" * 64,
        "%41.example",
    ),
    *("a." * 130 + "b", "wss://[not-an-address]/"),
]


@pytest.mark.parametrize(("typed", "meant"), MEANT.items())
def test_what_is_typed_means_a_websocket_address(typed, meant):
    assert canonical(typed) == meant


@pytest.mark.parametrize("typed", NONSENSE)
def test_nonsense_is_refused_with_what_would_be_right(typed):
    with pytest.raises(ProfileError, match="wss://host/"):
        canonical(typed)


@given(st.one_of(st.sampled_from(list(MEANT)), st.text(max_size=40)))
def test_what_is_meant_stands_for_itself(typed):
    try:
        meant = canonical(typed)
    except ProfileError:
        return
    assert canonical(meant) == meant
    assert meant.startswith(("ws://", "wss://"))


def test_a_setting_may_name_several_each_of_which_counts_once():
    assert listed("a.example, b.example/bx,a.example,") == ("wss://a.example/", "wss://b.example/bx")
    assert listed(["localhost", "a.example,localhost"]) == ("ws://localhost:8082/", "wss://a.example/")


@pytest.mark.parametrize("texts", ["", ",", [], ["", " , "]])
def test_no_address_at_all_is_refused_with_where_to_name_one(texts):
    with pytest.raises(ProfileError, match="--server"):
        listed(texts)


def test_one_bad_address_spoils_the_setting():
    with pytest.raises(ProfileError, match="ftp"):
        listed("a.example,ftp://b.example")


@pytest.mark.parametrize(
    ("address", "loopback", "encrypted"),
    [
        ("ws://localhost:8082/", True, True),
        ("ws://127.0.0.1:8082/", True, True),
        ("ws://[::1]:8082/", True, True),
        ("ws://a.example/", False, False),
        ("wss://a.example/", False, True),
        ("ws://localhost.example/", False, False),
        ("ws://192.0.2.7/", False, False),
    ],
)
def test_only_tls_and_this_machine_are_safe_on_the_way(address, loopback, encrypted):
    assert is_loopback(address) == loopback
    assert is_encrypted(address) == encrypted


def test_people_read_host_and_port():
    assert place("wss://a.example/bx") == "a.example"
    assert place("ws://[::1]:8082/") == "[::1]:8082"
