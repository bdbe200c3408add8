import pytest

from exchange.flags import cautions, place_of, url_of


@pytest.mark.parametrize(
    ("addr", "place"),
    [
        (":8443", ("0.0.0.0", 8443)),
        (":0", ("0.0.0.0", 0)),
        ("127.0.0.1:9443", ("127.0.0.1", 9443)),
        ("relay.example.com:443", ("relay.example.com", 443)),
        ("[::]:8443", ("::", 8443)),
        ("[::1]:8443", ("::1", 8443)),
    ],
)
def test_an_address_is_read_as_the_original_read_it(addr, place):
    assert place_of(addr) == place


@pytest.mark.parametrize(
    "addr", ["", "8443", ":", ":https", ":65536", ":-1", "::1:8443", "h:1:2", "[::1]", "a b:1", "http://h:1"]
)
def test_what_is_no_address_is_refused_with_how_one_looks(addr):
    with pytest.raises(ValueError, match="should be host:port or :port, with a port from 0 to 65535"):
        place_of(addr)


def test_a_domain_is_where_the_relay_is_reached():
    assert url_of("relay.example.com") == "wss://relay.example.com/ws"


@pytest.mark.parametrize(
    "domain", ["", "https://relay.example.com", "relay.example.com:8443", "relay.example.com/ws", "-a", "a b"]
)
def test_what_is_no_domain_is_refused(domain):
    with pytest.raises(ValueError, match="should be a host name"):
        url_of(domain)


def test_who_gives_no_flag_is_told_nothing():
    assert list(cautions(key=None, domain=None, db=None, tls=False)) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key": ""}, "RELAY_ADMIN_KEY is safer"),
        ({"domain": "h"}, "orders no certificate"),
        ({"db": "relay.db"}, "-db is ignored"),
    ],
)
def test_a_flag_that_means_something_else_here_comes_with_a_caution(given, words):
    flags = {"key": None, "domain": None, "db": None, "tls": False, **given}
    assert sum(words in caution for caution in cautions(**flags)) == 1


def test_a_domain_has_to_be_told_to_whoever_makes_links():
    (caution,) = cautions(key=None, domain="h", db=None, tls=True)
    assert "EXCHANGE_RELAY__PUBLIC_URL=wss://h/ws" in caution
