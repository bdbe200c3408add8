"""``doctor``: looks at the path between owner, exchange and assistant, link by link, and stops where it breaks (CLI-48)."""

import os
import platform
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from magi import __version__
from magi.cli import owner
from magi.cli.command import Run, command
from magi.cli.finding import Finding
from magi.cli.identity import CLAIM_SECONDS, fault_of
from magi.cli.setup.adapter import Home
from magi.cli.setup.clients import Standing, standings
from magi.cli.setup.commands import Magi
from magi.cli.statuses import Status, row_of
from magi.cli.watch import settled
from magi.client.errors import MagiError, ProfileError
from magi.daemon.port import DaemonAway, Desk, DeskError
from magi.desk import private
from magi.desk.places import DEFAULT_PROFILE, Places
from magi.desk.private import DIRECTORY_MODE, FILE_MODE

if TYPE_CHECKING:
    from magi.desk.profile import Profile

# Network and store come with the links that need them (DEP-6).
# ruff: noqa: PLC0415

app = typer.Typer(rich_markup_mode=None)
SIGNS: Final = {True: "ok", False: "--"}
"""What stands before a link that was tested, or could not be."""


@command(app, "doctor")
async def doctor(
    run: Run,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Close files of yours that others can read.")] = False,
) -> Status:
    """Test the way from your files through the exchange to your assistants, and say what to do where it ends.

    magi doctor

    A question makes the round to a second user, who is there for that only. With --json nothing names anybody: it can be
    passed on.
    """
    async for finding in links(run, fix=fix):
        _tell(run, finding)
        if finding.broken:
            return finding.status
    return Status.DONE


async def links(run: Run, *, fix: bool = False) -> AsyncIterator[Finding]:
    """Test one link after the other. Whoever reads stops at one that is broken."""
    for finding in _files(_places(run), fix=fix):
        yield finding
    finding, profile = _settings(run)
    yield finding
    if profile is None:
        return
    async for finding in _servers(profile):
        yield finding
    async for finding in _at_the_desk(run, profile):
        yield finding
    yield await _daemon(profile)
    for finding in _clients(profile):
        yield finding


def _tell(run: Run, finding: Finding) -> None:
    ok = not finding.broken
    run.out.record("link", link=finding.link, ok=ok, tested=finding.tested, status=int(finding.status), **finding.facts)
    sign = SIGNS[finding.tested] if ok else "!!"
    run.out.say(f"{sign}  {finding.link:<12}{finding.said}")
    if finding.advice:
        run.out.say(f"    {'':<12}{finding.advice}")


# --- this machine ----------------------------------------------------------------------------------------------------


def _places(run: Run) -> Places:
    return Places.of(str(run.options.get("profile") or os.environ.get("MAGI_PROFILE") or DEFAULT_PROFILE))


def _files(places: Places, *, fix: bool) -> Iterator[Finding]:
    """Look at what has to be its owner's alone."""
    secret = (places.data, places.identity_key, places.tokens, places.store, places.lock, places.socket, places.state)
    if not places.identity_key.exists():
        yield Finding("files", "There is no profile yet.", Status.UNSET, "Make one: magi register -u NAME -s ADDRESS")
        return
    repaired = 0
    for path in filter(Path.exists, secret):
        try:
            private.check(path)
        except ProfileError as fault:
            if not (fix and path.stat().st_uid == os.geteuid()):
                yield Finding("files", str(fault), Status.UNSET, "Or let magi do it: magi doctor --fix")
                return
            path.chmod(DIRECTORY_MODE if path.is_dir() else FILE_MODE)
            repaired += 1
    said = f"nobody else can read them{f'; {repaired} repaired' if repaired else ''}"
    yield Finding("files", said, facts={"repaired": repaired})


def _settings(run: Run) -> "tuple[Finding, Profile | None]":
    try:
        profile = run.profile()
        said = f"profile {profile.name}, {profile.username}, {len(profile.servers)} exchange address(es)"
        return Finding("settings", said, facts={"servers": len(profile.servers)}), profile
    except ProfileError as fault:
        return Finding("settings", str(fault), Status.UNSET, "See what comes from where: magi status --settings"), None


async def _daemon(profile: "Profile") -> Finding:
    from magi.daemon import start

    own = f"magi {__version__}, Python {platform.python_version()}"
    facts: dict[str, object] = {"magi": __version__, "python": platform.python_version()}
    try:
        line = await start.find(profile)
    except DaemonAway:
        return Finding("daemon", f"none runs; it starts when it is needed ({own})", facts={**facts, "daemon": ""})
    version = line.welcome.version
    await line.close()
    facts["daemon"] = version
    if version != __version__:
        said = f"The daemon is version {version}, this is {own}."
        return Finding("daemon", said, Status.ERROR, "Have the new one start: magi daemon stop", facts)
    return Finding("daemon", f"runs ({own})", facts=facts)


def _clients(profile: "Profile") -> Iterator[Finding]:
    """Look at the entries of each agent client. One that is not wired is no break: it may be meant so."""
    named = "" if profile.name == DEFAULT_PROFILE else profile.name
    found = standings(Home.own(), Magi.here(named))
    if not found:
        yield Finding(
            "clients", "none is here", advice="For one that magi does not know: magi setup --print", tested=False
        )
    for client, (standing, why) in found.items():
        wired = standing is Standing.WIRED
        status = Status.ERROR if standing in {Standing.PARTLY, Standing.STRANGE} else Status.DONE
        said = why or f"{client} is {standing}"
        advice = "" if wired else f"To wire it: magi setup {client}{f' -p {named}' if named else ''}"
        yield Finding("clients", said, status, advice, {"client": client, "wired": wired}, tested=wired or bool(status))


# --- the exchange ----------------------------------------------------------------------------------------------------


async def _servers(profile: "Profile") -> AsyncIterator[Finding]:
    """Test each exchange. One that is away is no break as long as another is there."""
    from dataclasses import replace

    from magi.cli import reach

    broken: list[Finding] = []
    for number, address in enumerate(profile.servers, 1):
        async for finding in reach.links(address, number):
            if not finding.broken:
                yield finding
                continue
            broken.append(finding)
            if len(broken) < len(profile.servers):
                yield replace(finding, status=Status.DONE, tested=False)
            else:
                yield finding


async def _at_the_desk(run: Run, profile: "Profile") -> AsyncIterator[Finding]:
    """Test what takes our own identity: through the daemon if one runs, else in this process."""
    from magi.cli.roundtrip import round_trip
    from magi.daemon import start

    try:
        face = "cli" if owner.is_person() else "script"
        async with start.desk(profile, face=face, direct=True) as desk:
            identity, features = await _identity(desk)
            yield identity
            yield features
            standing = await desk.status()
            if standing.granted:
                yield await round_trip(desk, run.caller, standing.server)
            else:
                yield Finding(
                    "round_trip", "not tested: friends of a plain exchange cannot be left again", tested=False
                )
    except (MagiError, DeskError) as fault:
        yield Finding("identity", str(fault), row_of(fault).status, row_of(fault).advice)


async def _identity(desk: Desk) -> tuple[Finding, Finding]:
    standing = await settled(desk, CLAIM_SECONDS)
    if standing.connection != "connected":
        fault = fault_of(standing)
        row = row_of(fault)
        identity = Finding("identity", standing.detail or str(fault), row.status, row.advice)
    else:
        identity = Finding("identity", f"you are {standing.username} at {standing.server}")
    missing = f"; not granted: {', '.join(standing.missing)}" if standing.missing else ""
    said = f"{', '.join(standing.granted) or 'none: a plain exchange'}{missing}"
    return identity, Finding("features", said, facts={"granted": standing.granted, "missing": standing.missing})
