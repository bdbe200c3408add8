"""Kinds of settings: how a value is read, checked and written."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, SerializationInfo

from exchange.storage.redis.endpoint import Endpoint

REVEAL = "reveal"


def _split(value: object) -> object:
    """Let one line of text be a list: entries are separated by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _web_url(value: str) -> str:
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise ValueError("it should begin with http:// or https:// and a host name")
    return value.rstrip("/")


def _socket_url(value: str) -> str:
    if value and (urlsplit(value).scheme not in {"ws", "wss"} or not urlsplit(value).hostname):
        raise ValueError("it should begin with ws:// or wss:// and a host name")
    return value.rstrip("/")


def _redis_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if url:
        Endpoint.parse(url)
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if 0 < len(value.get_secret_value()) < 16:
        raise ValueError("it should have at least 16 characters")
    return value


def _revealed(value: SecretStr, info: SerializationInfo) -> str:
    """Write a secret out only for whoever asks for it: a parent that hands settings to its child."""
    reveal = isinstance(info.context, Mapping) and info.context.get(REVEAL)
    return value.get_secret_value() if reveal else str(value)


Secret = Annotated[SecretStr, PlainSerializer(_revealed, when_used="json")]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
RedisUrl = Annotated[Secret, AfterValidator(_redis_url)]
Key = Annotated[Secret, AfterValidator(_long_enough)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_split)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_split)]
