"""The way to one exchange, link by link: name, TCP, TLS, upgrade, greeting (CLI-48)."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from magi.cli.finding import Finding
from magi.cli.statuses import Status
from magi.client.addresses import is_encrypted, is_loopback, place
from magi.client.dialling import OPEN_SECONDS, dial, sentence
from magi.client.errors import NotConnected
from magi.client.line import GREETING_SECONDS, decoded
from magi.wire.magi1_frames import Connected

PORTS: Final = {"ws": 80, "wss": 443}
FAULTS: Final = (OSError, TimeoutError)
"""What a network does; certificates and unknown names are among them."""


async def links(address: str, number: int) -> AsyncIterator[Finding]:
    """Test the way to an exchange and yield what each link is like; ends with the first that is broken.

    Args:
        address: As :func:`magi.client.addresses.canonical` returns it.
        number: Stands for the exchange where no names are wanted, from 1 on.
    """
    facts: dict[str, object] = {"server": number}
    if not is_loopback(address) and get_proxy(parse_uri(address)):
        yield Finding("proxy", f"{place(address)} is reached through the proxy of this machine", facts=facts)
    else:
        async for found in _direct(address, facts):
            yield found
            if found.broken:
                return
    try:
        connection = await dial(address)
    except NotConnected as fault:
        yield _broken("upgrade", str(fault), facts, "Is this the address of an exchange? magi status --settings")
        return
    yield Finding("upgrade", f"{place(address)} opens a WebSocket", facts=facts)
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            greets = isinstance(decoded(await connection.recv()), Connected)
    except (TimeoutError, ConnectionClosed):
        greets = False
    finally:
        await connection.close()
    if greets:
        yield Finding("greeting", f"{place(address)} is a mAgi exchange", facts=facts)
    else:
        said = f"{place(address)} does not greet like a mAgi exchange."
        yield _broken("greeting", said, facts, "Ask whoever runs it for the right address.")


async def _direct(address: str, facts: dict[str, object]) -> AsyncIterator[Finding]:
    """Test the links below the WebSocket."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    where = place(address)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except FAULTS as fault:
        yield _broken("resolve", sentence(fault, host), facts, "Look at the address and at your network.")
        return
    yield Finding("resolve", f"{host} is known: {len(found)} address(es)", facts=facts)
    try:
        await _connect(host, port)
    except FAULTS as fault:
        yield _broken("tcp", sentence(fault, where), facts, "Is the exchange up, and does a firewall let you out?")
        return
    yield Finding("tcp", f"{where} takes connections", facts=facts)
    if parts.scheme != "wss":
        careful = "" if is_encrypted(address) else "; careful: not encrypted on the way"
        yield Finding("tls", f"{where} is spoken to without TLS{careful}", facts=facts, tested=False)
        return
    try:
        await _connect(host, port, ssl.create_default_context())
    except FAULTS as fault:
        yield _broken("tls", sentence(fault, where), facts, "Look at the clock of this machine, and at the address.")
        return
    yield Finding("tls", f"{where} has a certificate that this machine trusts", facts=facts)


async def _connect(host: str, port: int, context: ssl.SSLContext | None = None) -> None:
    """Connect and hang up.

    Raises:
        OSError: That is not possible, or not in time.
    """
    async with asyncio.timeout(OPEN_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.close()
    with contextlib.suppress(*FAULTS):
        async with asyncio.timeout(OPEN_SECONDS):
            await writer.wait_closed()


def _broken(link: str, said: str, facts: dict[str, object], advice: str) -> Finding:
    return Finding(link, said, Status.AWAY, advice, facts)
