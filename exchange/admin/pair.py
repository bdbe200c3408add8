"""``magi-exchange admin pair``: pairings of a phone and an agent, for operators."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.admin.outcome import Declined, one_sentence

if TYPE_CHECKING:
    from exchange.core.pairs import PairInfo
    from exchange.ports import Store
    from exchange.settings import Settings

# What a command needs is imported in the command, as in exchange.__main__ (DEP-6).
# ruff: noqa: PLC0415

pair = typer.Typer(no_args_is_help=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file with settings.  [EXCHANGE_CONFIG_FILE]", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
TokenArgument = Annotated[
    str,
    typer.Argument(
        metavar="TOKEN",
        help="The token, or 12 to 16 characters of its beginning; - reads it from standard input, since everybody on "
        "this machine can see arguments.",
        show_default=False,
    ),
]


@pair.callback()
def _pair() -> None:
    """Pairings of a phone and an agent that talk through the relay.

    The commands work on the store of the nodes: give them the nodes' settings. Without EXCHANGE_REDIS__URL that is the
    embedded Valkey of the exchange that runs on this machine.

    Status: 0 done; 1 not found or refused; 3 a setting is wrong or the store is out of reach.
    """


@pair.command()
def create(
    *,
    relay: Annotated[
        str | None,
        typer.Option(help="Where phone and agent reach the relay, as wss://host/path.  [EXCHANGE_RELAY__PUBLIC_URL]"),
    ] = None,
    qr: Annotated[
        bool | None, typer.Option("--qr/--no-qr", help="Draw the link as a QR code; unset: on a terminal only.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a pairing and print its token, which is shown this once.

    magi-exchange admin pair create --relay wss://relay.example.com/coralmux/ws

    magi-exchange admin pair create --json
    """
    with one_sentence():
        settings = _settings(config, relay)
        from exchange.admin.invitation import is_of_this_machine, link_of, relay_url
        from exchange.admin.rendering import json_of, moment_of

        # Before there is a token that nobody could be told.
        url = relay_url(settings)
        token = _make(settings)
        link = link_of(token, url)
        ttl_seconds = settings.relay.token_ttl_seconds
        if as_json:
            typer.echo(json_of({"token": token, "link": link, "relay": url, "ttl_seconds": ttl_seconds or None}))
            return
        end = moment_of(int((time.time() + ttl_seconds) * 1000)) if ttl_seconds else "it is revoked"
        typer.echo(f"Token   {token}\nRelay   {url}\nLink    {link}\n")
        if qr or (qr is None and sys.stdout.isatty()):
            _draw(link)
        typer.echo(
            "Phone: scan the code or open the link. Agent: start it with the token and the address of the relay."
        )
        typer.echo(f"The token is good until {end}. Keep it: it is not shown again.")
        if is_of_this_machine(url):
            typer.echo("Note: no phone reaches this address. Give the public one with --relay.", err=True)


@pair.command("list")
def list_pairs(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List all pairings, the oldest first.

    magi-exchange admin pair list

    magi-exchange admin pair list --json
    """
    with one_sentence():
        settings = _settings(config)
        from exchange.admin.rendering import json_of, print_table, record_of
        from exchange.admin.search import select
        from exchange.admin.visit import visit

        infos = visit(settings, lambda store: select(store.pairs))
        if as_json:
            typer.echo(json_of([record_of(info) for info in infos]))
        else:
            print_table(infos, terminal=sys.stdout.isatty())


@pair.command()
def show(token: TokenArgument, *, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show all of one pairing.

    magi-exchange admin pair show oc_pair_1234abcd
    """
    with one_sentence():
        settings = _settings(config)
        from exchange.admin.rendering import details_of, json_of, record_of

        info = _find(settings, _read(token))
        typer.echo(json_of(record_of(info)) if as_json else details_of(info))


@pair.command()
def revoke(
    token: TokenArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can be asked.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """End a pairing: its token is void, and both sides are disconnected.

    magi-exchange admin pair revoke oc_pair_1234abcd

    pass show relay-token | magi-exchange admin pair revoke --yes -
    """
    with one_sentence():
        settings = _settings(config)
        from exchange.admin.rendering import connected_of, json_of, record_of
        from exchange.admin.visit import visit

        info = _find(settings, _read(token))
        if not yes:
            if not _can_ask():
                raise Declined(f"Revoking {info.shown} needs --yes where nobody can be asked.")
            question = f"Revoke {info.shown}? Connected now: {connected_of(info)}."
            if not typer.confirm(question, err=True):
                raise Declined("Nothing was changed.")
        if not visit(settings, lambda store: store.pairs.delete(info.pair)):
            raise Declined(f"The pairing {info.shown} is gone already.")
        if as_json:
            typer.echo(json_of(record_of(info)))
        else:
            typer.echo(f"Revoked {info.shown}. Connected until now: {connected_of(info)}.")


def _settings(config: Path | None, relay: str | None = None) -> "Settings":
    from exchange.settings import load

    return load(os.environ, {"relay": {"public_url": relay}}, config=config)


def _make(settings: "Settings") -> str:
    from exchange.admin.visit import visit
    from exchange.handlers.pairing import Desk

    relay = settings.relay

    async def make(store: "Store") -> str:
        desk = Desk(
            store.pairs,
            store.limits,
            ttl_ms=int(relay.token_ttl_seconds * 1000),
            registrations_per_hour=relay.registrations_per_hour_count,
        )
        return await desk.create()

    return visit(settings, make)


def _find(settings: "Settings", words: str) -> "PairInfo":
    from exchange.admin.search import find
    from exchange.admin.visit import visit

    return visit(settings, lambda store: find(store.pairs, words))


def _read(words: str) -> str:
    return sys.stdin.readline().strip() if words == "-" else words


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _draw(link: str) -> None:
    """Draw the link, unless the terminal would break its lines."""
    from exchange.admin.invitation import qr_columns, qr_of

    terminal, columns = sys.stdout.isatty(), qr_columns(link)
    if terminal and columns > shutil.get_terminal_size().columns:
        typer.echo(f"The terminal is too narrow for the QR code, which takes {columns} columns.\n")
    else:
        typer.echo(qr_of(link, coloured=terminal), color=True)
