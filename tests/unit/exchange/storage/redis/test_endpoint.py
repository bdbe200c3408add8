import pytest

from exchange.storage.redis.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("redis://store", Endpoint(host="store")),
        ("redis://store/", Endpoint(host="store")),
        ("redis://store:7000/3", Endpoint(host="store", port=7000, db=3)),
        ("redis://store?db=3", Endpoint(host="store", db=3)),
        ("redis://[::1]:7000/0", Endpoint(host="::1", port=7000)),
        ("rediss://store", Endpoint(host="store", tls=True)),
        ("redis://:pass@store", Endpoint(host="store", password="pass")),
        ("redis://node:p%40s%2Fs@store/1", Endpoint(host="store", user="node", password="p@s/s", db=1)),
        ("unix:///run/valkey.sock", Endpoint(path="/run/valkey.sock")),
        ("unix://node:pass@/run/a%20b?db=2", Endpoint(path="/run/a b", user="node", password="pass", db=2)),
    ],
)
def test_a_url_is_read(url, endpoint):
    assert Endpoint.parse(url) == endpoint


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "must start with"),
        ("store:6379", "must start with"),
        ("http://store", "must start with"),
        ("redis://", "host is missing"),
        ("redis://:s3cret@:6379", "host is missing"),
        ("redis://store:0", "port"),
        ("redis://store:70000", "port"),
        ("redis://user:s3cret/@store", "percent-encoded"),
        ("redis://user:#s3cret@store", "%23"),
        ("redis://user:?s3cret@store", "only option"),
        ("redis://[s3cret", "brackets"),
        ("redis://:s3cret\u2100@store", "no URL"),
        ("redis://store/main", "must be a number"),
        ("redis://store/-1", "must be a number"),
        ("redis://store/1?db=2", "twice"),
        ("redis://store?timeout=s3cret", "only option"),
        ("unix://", "absolute path"),
        ("unix://run/valkey.sock", "absolute path"),
    ],
)
def test_a_bad_url_is_refused_with_its_reason_and_without_its_secret(url, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        Endpoint.parse(url)
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "s3cret" not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://node:s3cret@store:7000/3", "redis://store:7000/3"),
        ("rediss://:s3cret@[::1]", "rediss://[::1]:6379/0"),
        ("unix://:s3cret@/run/valkey.sock?db=2", "unix:///run/valkey.sock?db=2"),
    ],
)
def test_what_is_shown_holds_no_secret(url, shown):
    endpoint = Endpoint.parse(url)
    assert str(endpoint) == shown
    assert "s3cret" not in repr(endpoint)
    assert "node" not in repr(endpoint)
