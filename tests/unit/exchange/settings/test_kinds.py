from ipaddress import IPv4Network, IPv6Network

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from exchange.settings.kinds import REVEAL, Key, Networks, RedisUrl, Secret, SocketUrl, Texts, WebUrl


class Holder(BaseModel):
    secret: Secret


def test_a_list_is_written_with_commas():
    assert TypeAdapter(Texts).validate_python(" https://a.example, ,https://b.example ") == (
        "https://a.example",
        "https://b.example",
    )


def test_networks_of_both_families_are_read():
    networks = TypeAdapter(Networks).validate_python("10.0.0.0/8,fd00::/8")
    assert networks == (IPv4Network("10.0.0.0/8"), IPv6Network("fd00::/8"))


def test_a_secret_is_written_out_only_on_request():
    holder = Holder(secret=SecretStr("hidden"))
    assert "hidden" not in holder.model_dump_json()
    assert "hidden" not in repr(holder)
    assert holder.model_dump_json(context={REVEAL: True}) == '{"secret":"hidden"}'


@pytest.mark.parametrize("url", ["", "redis://h", "rediss://u:p@h:1/2", "unix:///run/valkey.sock"])
def test_a_store_address_is_accepted(url):
    assert TypeAdapter(RedisUrl).validate_python(url).get_secret_value() == url


@pytest.mark.parametrize("url", ["http://h", "localhost:6379", "unix://relative"])
def test_a_store_address_that_cannot_be_one_is_refused(url):
    with pytest.raises(ValidationError):
        TypeAdapter(RedisUrl).validate_python(url)


def test_a_public_address_loses_its_last_slash():
    assert TypeAdapter(WebUrl).validate_python("https://magi.example/") == "https://magi.example"


@pytest.mark.parametrize("url", ["magi.example", "ws://magi.example", "https://"])
def test_a_public_address_that_is_none_is_refused(url):
    with pytest.raises(ValidationError):
        TypeAdapter(WebUrl).validate_python(url)


def test_a_public_address_of_sockets_loses_its_last_slash():
    assert TypeAdapter(SocketUrl).validate_python("wss://relay.example/ws/") == "wss://relay.example/ws"


@pytest.mark.parametrize("url", ["relay.example", "https://relay.example", "wss://", "wss://[::1"])
def test_a_public_address_of_sockets_that_is_none_is_refused(url):
    with pytest.raises(ValidationError):
        TypeAdapter(SocketUrl).validate_python(url)


def test_a_short_key_is_refused():
    with pytest.raises(ValidationError, match="16 characters"):
        TypeAdapter(Key).validate_python("short")
