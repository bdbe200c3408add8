"""Addresses of exchanges: what people type, and the WebSocket address that is meant (CLI-20).

==================  =============================
typed               meant
==================  =============================
``host``            ``wss://host/``
``host:port/path``  ``wss://host:port/path``
``localhost``       ``ws://localhost:8082/``
``https://host``    ``wss://host/``
``http://host``     ``ws://host/``
==================  =============================

All functions that return an address are idempotent: what they return stands for itself.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from magi.client.errors import ProfileError

LOOPBACK_PORT: Final = 8082
SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f\\]")


def canonical(text: str) -> str:
    """Return the address that ``text`` means.

    Raises:
        ProfileError: It means none; the message says why, and what would be right.
    """
    typed = text.strip()
    if not typed or _BLANK.search(typed):
        raise _nonsense(text, "it is empty" if not typed else "it has blanks or backslashes")
    if _is_ip6(typed):
        typed = f"[{typed}]"
    scheme, found, rest = typed.partition("://")
    try:
        parts = urlsplit(f"//{rest}" if found else f"//{typed}")
        host, port = _host(parts), parts.port
    except ValueError as error:  # an open bracket, a port that is no number or too large, a host that no name can be
        raise _nonsense(text, str(error)) from None
    if found and scheme.lower() not in SCHEMES:
        raise _nonsense(text, f"{scheme}:// is not spoken here")
    if parts.username is not None:
        raise _nonsense(text, "a name or password does not belong there")
    if parts.fragment:
        raise _nonsense(text, "# does not belong there")
    if found:
        secure = SCHEMES[scheme.lower()] == "wss"
    else:
        secure = not _is_loopback(host)
        port = port or (None if secure else LOOPBACK_PORT)
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    query = f"?{parts.query}" if parts.query else ""
    return f"{'wss' if secure else 'ws'}://{netloc}{parts.path or '/'}{query}"


def listed(texts: str | Iterable[str]) -> tuple[str, ...]:
    """Return all addresses of a setting, in their order and each once. Each text may name several, between commas.

    Raises:
        ProfileError: One of them means none, or there is none at all.
    """
    typed = [texts] if isinstance(texts, str) else texts
    found = [canonical(one) for text in typed for one in text.split(",") if one.strip()]
    if not found:
        raise ProfileError("No exchange is named. Give one with --server, MAGI_SERVER or the setting servers.")
    return tuple(dict.fromkeys(found))


def is_loopback(address: str) -> bool:
    """Tell whether an address leads to this machine."""
    return _is_loopback(urlsplit(address).hostname or "")


def is_encrypted(address: str) -> bool:
    """Tell whether nobody on the way can read what goes over it: it uses TLS, or there is no way."""
    return urlsplit(address).scheme == "wss" or is_loopback(address)


def place(address: str) -> str:
    """Return host and port of an address as people read them, the port only if it is not the usual one."""
    return urlsplit(address).netloc


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        return ipaddress.IPv6Address(host).compressed
    if not host.isascii():
        host = host.encode("idna").decode()
    if len(host) > 253 or not all(map(_LABEL.fullmatch, host.removesuffix(".").split("."))):
        raise ValueError("there is no host name" if not host else f"{host} is no host name")
    return host


def _is_ip6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _nonsense(text: str, why: str) -> ProfileError:
    return ProfileError(f"{text[:100]!r} is no address of an exchange: {why}. Write wss://host/ or just the host.")
