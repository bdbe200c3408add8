"""``daemon`` and ``mcp``: the processes behind and beside the commands."""

import importlib
from typing import Annotated

import typer

from magi.cli.command import DirectOption, ProfileOption, Run, ServerOption, command
from magi.cli.statuses import Status
from magi.daemon.port import DaemonAway, DeskError

# The daemon brings the store, the client and the event loop, which --help does not need (DEP-6).
# ruff: noqa: PLC0415

app = typer.Typer(rich_markup_mode=None)
daemon = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The process that holds your connection and your messages. Commands start it when they need it.",
)
app.add_typer(daemon, name="daemon")


@command(daemon, "run")
async def run_(run: Run) -> Status:
    """Be the daemon, here, until Ctrl-C.

    magi daemon run
    """
    from magi.daemon import process

    profile = run.profile()
    process.log_to_file(profile)
    run.out.note(f"magi: This is the daemon of {profile.name}. Its log: {profile.places.log}")
    ended = await process.run(profile)
    if ended is process.Exit.LOCKED:
        raise DeskError("Another process has this profile: magi daemon status")
    if ended is not process.Exit.DONE:
        raise DeskError(f"The daemon failed. Its log says why: {profile.places.log}")
    return Status.DONE


@command(daemon, "start")
async def start_(run: Run) -> Status:
    """Start the daemon, if none runs.

    magi daemon start
    """
    from magi.daemon import start

    profile = run.profile()
    async with start.desk(profile, face="script"):
        pass
    return await _told(run)


@command(daemon, "stop")
async def stop(run: Run) -> Status:
    """Have the daemon finish and leave. What waits to be sent waits until the next start.

    magi daemon stop
    """
    from magi.daemon import start

    stopped = await start.stop(run.profile())
    run.out.note("magi: The daemon has left." if stopped else "magi: No daemon runs.")
    return Status.DONE


@command(daemon, "status")
async def status(run: Run) -> Status:
    """Show whether the daemon runs; if not, the exit status is 1.

    magi daemon status
    """
    return await _told(run)


async def _told(run: Run) -> Status:
    from magi.daemon import start

    profile = run.profile()
    try:
        line = await start.find(profile)
    except DaemonAway:
        run.out.record("daemon", runs=False, pid=0, version="")
        run.out.say("No daemon runs.")
        return Status.ERROR
    welcome = line.welcome
    await line.close()
    run.out.record("daemon", runs=True, pid=welcome.pid, version=welcome.version)
    run.out.say(f"The daemon runs: process {welcome.pid}, version {welcome.version}.")
    return Status.DONE


@app.command("mcp")
def mcp(
    *,
    brainxchange: Annotated[
        bool, typer.Option("--brainxchange/--no-brainxchange", help="Offer the tool that takes spoken commands.")
    ] = True,
    crowd: Annotated[bool, typer.Option("--crowd", help="Offer the tools of the crowd family, too.")] = False,
    profile: ProfileOption = "",
    server: ServerOption = None,
    direct: DirectOption = False,
) -> None:
    """Serve an assistant over standard input and output. Agent clients start this.

    claude mcp add --scope user magi -- magi mcp
    """
    # By name: the two faces do not know each other.
    bridge = importlib.import_module("magi.bridge.server")
    bridge.main(profile=profile, brainxchange=brainxchange, crowd=crowd, servers=tuple(server or ()), direct=direct)
