"""``register``, ``status``: who we are, and how it stands."""

from typing import Annotated, Final

import typer

from magi.cli import words
from magi.cli.command import Run, command
from magi.cli.statuses import Status, row_of
from magi.cli.watch import GLANCE_SECONDS, settled
from magi.client.errors import Displaced, MagiError, NotConnected, TokenRefused
from magi.client.refusals import error_of
from magi.daemon.port import Status as Standing
from magi.wire.magi1_frames import Error

app = typer.Typer(rich_markup_mode=None)

CLAIM_SECONDS: Final = 8.0
"""How long ``register`` waits for the exchange."""


@command(app, "register", undone="Nothing was registered.")
async def register(
    run: Run,
    *,
    username: Annotated[
        str, typer.Option("--username", "-u", help="Your name at the exchange, as an address.", metavar="NAME")
    ] = "",
    nickname: Annotated[str, typer.Option(help="What others see first.", metavar="NAME")] = "",
) -> Status:
    """Make a profile here and take your name at the exchange.

    magi register -u alice@example.com -s exchange.example.com

    The profile holds a key and, from then on, the token that keeps the name yours: it lives on this machine only.
    """
    from magi.desk.profile import Profile  # noqa: PLC0415  a store, which --help does not need

    run.options.update({name: value for name, value in (("username", username), ("nickname", nickname)) if value})
    profile = Profile.create(run.options)
    addresses = ", ".join(profile.servers)
    async with run.desk(starts=True) as desk:
        with run.out.spinner() as show:
            show(f"taking the name {profile.username} at {addresses}")
            standing = await settled(desk, CLAIM_SECONDS)
    run.out.view(standing)
    if standing.connection == "connected":
        run.out.say(f"You are {standing.username} at {standing.server}.")
        run.out.note("magi: Next: magi invite")
        return Status.DONE
    fault = fault_of(standing)
    row = row_of(fault)
    kept = f"The profile {standing.profile} is made; the name is not yours yet."
    run.out.note(f"magi: {standing.detail or fault} {kept} {row.advice}".rstrip())
    return row.status


def fault_of(standing: Standing) -> MagiError:
    """Return as an error why we are not connected."""
    if standing.connection == "displaced":
        return Displaced()
    if standing.connection == "refused":
        fault = error_of(Error(message=standing.detail))
        return fault if standing.detail else TokenRefused()
    return NotConnected()


@command(app, "status")
async def status(
    run: Run,
    *,
    settings: Annotated[bool, typer.Option("--settings", help="Show every setting, and where it comes from.")] = False,
) -> Status:
    """Show who you are, where, and what waits.

    magi status

    magi status --settings
    """
    if settings:
        _tell_settings(run)
        return Status.DONE
    async with run.desk() as desk:
        standing = await settled(desk, GLANCE_SECONDS)
    run.out.view(standing)
    for name, value in _lines(standing):
        run.out.say(f"{name:<12}{value}")
    if standing.connection == "connected":
        return Status.DONE
    return Status.AWAY


def _lines(standing: Standing) -> list[tuple[str, str]]:
    detail = f" ({standing.detail})" if standing.detail else ""
    lines = [
        ("you", f"{standing.username} ({standing.nickname}), profile {standing.profile}"),
        ("exchange", f"{standing.server or '-'}, {standing.connection}{detail}"),
        ("features", ", ".join(standing.granted) or "none: a plain exchange"),
        ("daemon", f"{'runs' if standing.daemon else 'none'}, version {standing.version or '-'}"),
        ("responder", standing.responder or "none"),
        ("waiting", words.waiting_line(standing.waiting) or "nothing"),
    ]
    if standing.missing:
        lines.append(("missing", f"{', '.join(standing.missing)}: this exchange does not grant them"))
    if standing.server and not standing.encrypted_transport:
        lines.append(("careful", "not encrypted on the way to the exchange"))
    if not standing.durable:
        lines.append(("careful", "nothing is kept when this process ends"))
    if standing.paused:
        lines.append(("paused", "nothing leaves without you. To go on: magi pause --off"))
    return lines


def _tell_settings(run: Run) -> None:
    from magi.desk.settings import settle  # noqa: PLC0415  it reads files, which --help does not need

    settings = settle(run.options)
    for warning in settings.warnings:
        run.out.note(f"magi: {warning}")
    rows = []
    for name, setting in settings.table.items():
        value = ", ".join(setting.value) if isinstance(setting.value, tuple) else str(setting.value)
        run.out.record("setting", name=name, value=value, origin=setting.origin)
        rows.append((name, value or "-", setting.origin))
    run.out.table(("setting", "value", "from"), rows)
