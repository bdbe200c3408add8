"""What the flags of the original relay mean here (docs/protocols/coralmux.md, section 10)."""

import re
from collections.abc import Iterator

ALL_ADDRESSES = "0.0.0.0"  # noqa: S104  what the original does
"""Not ``::``: behind such a socket a client's IPv4 address is written as an IPv6 one, and limits go by addresses."""

_PLACE = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\[\]:\s]*)):([0-9]{1,5})")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


def place_of(addr: str) -> tuple[str, int]:
    """Return host and port of ``-addr``.

    Raises:
        ValueError: It is none. The message is for the operator.
    """
    found = _PLACE.fullmatch(addr)
    if found is None or int(found[3]) > 65535:
        raise ValueError(
            f"-addr {addr} should be host:port or :port, with a port from 0 to 65535 (0 picks a free one)."
        )
    return found[1] or found[2] or ALL_ADDRESSES, int(found[3])


def url_of(domain: str) -> str:
    """Return where a relay with this ``-domain`` is reached.

    Raises:
        ValueError: It is no host name. The message is for the operator.
    """
    if _DOMAIN.fullmatch(domain) is None:
        raise ValueError(f"-domain {domain} should be a host name, as relay.example.com.")
    return f"wss://{domain}/ws"


def cautions(*, key: str | None, domain: str | None, db: str | None, tls: bool) -> Iterator[str]:
    """Iterate over what an operator who knows the original should be told.

    ``None`` is a flag that was not given; ``tls`` tells whether the listener has a certificate.
    """
    if key is not None:
        yield "everybody on this machine can see the key in -admin-key: RELAY_ADMIN_KEY is safer"
    if domain is not None:
        yield f"admin pair makes links to {url_of(domain)} only with EXCHANGE_RELAY__PUBLIC_URL={url_of(domain)} or --relay"
    if domain is not None and not tls:
        yield (
            "-domain orders no certificate: name yours in EXCHANGE_RELAY__TLS_CERTIFICATE_FILE and "
            "EXCHANGE_RELAY__TLS_KEY_FILE, or put a balancer that does TLS in front"
        )
    if db is not None:
        yield "-db is ignored: tokens are kept in the store, and those of an old database are not read"
