"""What a phone is shown to be paired: the address of the relay, the link, and the link as a QR code (CORAL-31)."""

import io
from urllib.parse import quote, urlsplit

import segno

from exchange.admin.outcome import Declined
from exchange.banner import LISTENER_PATH, RELAY_PATH, socket_url
from exchange.listening import reachable
from exchange.place import place
from exchange.settings import Settings

URL_CHARACTERS_MOST = 500
"""Every character may become three in the link, and a QR code holds 2,953."""

BRIGHT_ON_BLACK, RESET = "\x1b[97;40m", "\x1b[0m"


def relay_url(settings: Settings) -> str:
    """Return the address of the relay for phones and agents, as far as settings tell.

    Raises:
        Declined: They do not tell, or it is too long for a QR code.
    """
    relay, listen = settings.relay, settings.listen
    advice = "give it with --relay or EXCHANGE_RELAY__PUBLIC_URL"
    if relay.public_url:
        url = relay.public_url
    elif not relay.enabled:
        raise Declined(f"The relay is off in these settings, so its address is not known: {advice}.")
    elif settings.relay_place is not None:
        host, port = settings.relay_place
        url = (
            socket_url(reachable(host), port, LISTENER_PATH, tls=relay.tls_certificate_file is not None) if port else ""
        )
    elif listen.public_url:
        url = f"ws{listen.public_url.removeprefix('http')}{RELAY_PATH}"
    else:
        url = socket_url(reachable(listen.host), listen.port, RELAY_PATH) if listen.port else ""
    if not url:
        raise Declined(f"The port of the relay is picked at every start, so its address is not known: {advice}.")
    if len(url) > URL_CHARACTERS_MOST:
        raise Declined(f"The address of the relay is longer than {URL_CHARACTERS_MOST} characters: {advice}.")
    return url


def is_of_this_machine(url: str) -> bool:
    """Tell whether an address means the machine that looks it up, so that no phone gets there."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or place(host) == "localhost"


def link_of(token: str, relay: str) -> str:
    """Return the link that a phone opens to be paired."""
    return f"openclaw://pair?token={quote(token, safe='')}&relay={quote(relay, safe='')}"


def qr_of(link: str, *, coloured: bool) -> str:
    """Return a QR code as lines of half blocks, two modules a character, with the quiet zone around it.

    Bright blocks are the light modules, so it needs a dark background; ``coloured`` makes one, whatever the terminal's is.
    """
    out = io.StringIO()
    segno.make_qr(link).terminal(out, compact=True)
    lines = out.getvalue().splitlines()
    return "".join(f"{BRIGHT_ON_BLACK}{line}{RESET}\n" if coloured else f"{line}\n" for line in lines)


def qr_columns(link: str) -> int:
    """Return how many columns the QR code of a link takes."""
    return int(segno.make_qr(link).symbol_size()[0])
