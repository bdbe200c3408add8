"""The program ``magi-exchange``."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.admin.pair import pair
from magi import __version__

if TYPE_CHECKING:
    from exchange.settings import Settings

# What a command needs is imported in the command: --help is quick, and each process loads only its part (DEP-6).
# ruff: noqa: PLC0415

program = typer.Typer(
    name="magi-exchange",
    help="An exchange through which people's AI assistants ask and answer each other.",
    epilog="Settings: magi-exchange settings. Each can be given in the environment, too.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

admin = typer.Typer(help="What operators do with an exchange.", no_args_is_help=True)
admin.add_typer(pair, name="pair")
program.add_typer(admin, name="admin")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file with settings.  [EXCHANGE_CONFIG_FILE]", show_default=False)
]
ReportOption = Annotated[int | None, typer.Option("--report-fd", hidden=True)]


def main() -> None:
    """Run the program and exit with its status."""
    program()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"magi-exchange {__version__}")
        raise typer.Exit


@program.callback()
def _root(
    *,
    _wanted: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """An exchange through which people's AI assistants ask and answer each other."""


@program.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [EXCHANGE_LISTEN__HOST, 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port for clients and pages.  [EXCHANGE_LISTEN__PORT, PORT, 8082]")
    ] = None,
    ops_port: Annotated[
        int | None, typer.Option(help="Port for metrics and probes.  [EXCHANGE_OPS__PORT, 9082]")
    ] = None,
    nodes: Annotated[int | None, typer.Option(help="Node processes on that port.  [EXCHANGE_NODES__COUNT, 1]")] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(
            help="Redis or Valkey to use; without one an embedded Valkey is started. A password is safer in the "
            "environment or a file.  [EXCHANGE_REDIS__URL, EXCHANGE_REDIS__URL_FILE]"
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory of the embedded Valkey.  [EXCHANGE_STORE__DATA_DIR]")
    ] = None,
    worker: Annotated[
        bool | None,
        typer.Option("--worker/--no-worker", help="Run a worker beside the nodes.  [EXCHANGE_WORKER__EMBEDDED]"),
    ] = None,
    relay_listener: Annotated[
        bool | None,
        typer.Option(
            "--relay-listener/--no-relay-listener",
            help="Serve the relay at its original port, too.  [EXCHANGE_RELAY__LISTENER, port 8443]",
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Run the exchange.

    magi-exchange serve

    magi-exchange serve --host 0.0.0.0 --nodes 4 --redis-url redis://redis:6379/0

    Without a Redis URL it brings its own store: an embedded Valkey, with its data in --data-dir, and a worker. Ctrl-C
    ends everything in order, a second Ctrl-C at once.
    """
    settings = _load(
        {
            "listen": {"host": host, "port": port},
            "ops": {"port": ops_port},
            "nodes": {"count": nodes},
            "redis": {"url": redis_url},
            "store": {"data_dir": data_dir},
            "worker": {"embedded": worker},
            "relay": {"listener": relay_listener},
        },
        config,
    )
    from exchange.serve import serve as run

    sys.exit(run(settings))


@program.command(context_settings={"help_option_names": ["-h", "-help", "--help"]})
def relay(
    *,
    addr: Annotated[
        str, typer.Option("-addr", "--addr", help="Address to listen on: host:port, or :port for all IPv4 addresses.")
    ] = ":8443",
    admin_key: Annotated[
        str | None,
        typer.Option(
            "-admin-key",
            "--admin-key",
            help="Key that making and deleting pairings over HTTP needs. It is safer in the environment: everybody on "
            "this machine can see arguments.  [RELAY_ADMIN_KEY, EXCHANGE_RELAY__ADMIN_KEY_FILE]",
        ),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            "-domain",
            "--domain",
            help="Name of the relay, wss://<domain>/ws; tell admin pair, too. Orders no certificate.",
        ),
    ] = None,
    db: Annotated[str | None, typer.Option("-db", "--db", help="Ignored: the store keeps everything.")] = None,
    config: ConfigOption = None,
) -> None:
    """Run the exchange with the flags of the original relay, which it serves at its original paths.

    RELAY_ADMIN_KEY=... magi-exchange relay -addr :8443 -domain relay.example.com

    This is serve --relay-listener; everything else is set as for serve. Certificates: EXCHANGE_RELAY__TLS_CERTIFICATE_FILE
    and EXCHANGE_RELAY__TLS_KEY_FILE, or a balancer in front.
    """
    from exchange.flags import cautions, place_of, url_of

    try:
        host, port = place_of(addr)
        public_url = None if domain is None else url_of(domain)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    settings = _load(
        {
            "relay": {
                "enabled": True,
                "listener": True,
                "listener_host": host,
                "listener_port": port,
                "admin_key": admin_key,
                "public_url": public_url,
            }
        },
        config,
    )
    from exchange.banner import Console
    from exchange.serve import serve as run

    console = Console(settings.log.format)
    for caution in cautions(key=admin_key, domain=domain, db=db, tls=settings.relay.tls_key_file is not None):
        console.say(caution)
    sys.exit(run(settings))


@program.command()
def worker(*, config: ConfigOption = None, report_fd: ReportOption = None) -> None:
    """Run a worker: the background jobs of an exchange.

    EXCHANGE_REDIS__URL=redis://redis:6379/0 magi-exchange worker

    Any number of workers may run. It needs the Redis or Valkey of the nodes; beside an embedded one, serve runs it.
    """
    from exchange.programs import run_worker_program

    sys.exit(run_worker_program(report_fd, lambda: _load({}, config)))


@program.command(hidden=True)
def node(*, index: Annotated[int, typer.Option()], report_fd: Annotated[int, typer.Option()]) -> None:
    """Run one node as a child of serve, which hands it its settings."""
    from exchange.programs import run_node_program

    sys.exit(run_node_program(index, report_fd))


@program.command()
def settings(
    *,
    config: ConfigOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference page instead.")] = False,
) -> None:
    """Print every setting with its value now; a star marks what differs from its default. Secrets are masked."""
    from exchange.settings import reference

    typer.echo(reference.markdown() if markdown else reference.text(_load({}, config)), nl=False)


@program.command()
def metrics(
    *, markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference page instead.")] = False
) -> None:
    """Print every metric with its type and its meaning."""
    from exchange import reference

    typer.echo(reference.markdown() if markdown else reference.text(), nl=False)


def _load(options: Mapping[str, Mapping[str, object]], config: Path | None) -> "Settings":
    from exchange.refusal import REFUSED_STATUS, StartRefused
    from exchange.settings import load

    try:
        return load(os.environ, options, config=config)
    except StartRefused as refusal:
        typer.echo(refusal, err=True)
        raise typer.Exit(REFUSED_STATUS) from None


if __name__ == "__main__":
    main()
