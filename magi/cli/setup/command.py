"""``setup``: wires agent clients, or takes it back."""

import json
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from magi.cli.command import Run, command
from magi.cli.setup.adapter import LEVELS, Adapter, Home
from magi.cli.setup.clients import CLIENTS
from magi.cli.setup.commands import NAME, Magi
from magi.cli.setup.writing import Change, Piece, Unusable
from magi.cli.statuses import Status
from magi.client.addresses import is_encrypted, place
from magi.client.errors import ProfileError
from magi.desk.places import DEFAULT_PROFILE
from magi.desk.settings import settle

app = typer.Typer(rich_markup_mode=None)

OTHERS: Final = (
    "Where a client takes MCP servers, put this. It has the tools, and learns of questions when it uses one (C)."
)


@command(app, "setup")
async def setup(
    run: Run,
    clients: Annotated[
        list[str] | None, typer.Argument(metavar="CLIENT", help=f"{', '.join(CLIENTS)}. All that are here, if none.")
    ] = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Take out what magi put in, and nothing else.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")] = False,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print what belongs where, for you to put there.")
    ] = False,
    username: Annotated[
        str, typer.Option("--username", "-u", help="With a new profile: your name.", metavar="NAME")
    ] = "",
) -> Status:
    """Give your agent clients the magi tools, and have them tell of questions.

    magi setup

    magi setup codex --dry-run

    Each change is shown before it is made, and the file from before is kept beside the new one as FILE.magi-backup.
    """
    chosen = _chosen(clients or [], Home.own())
    if username:
        run.options["username"] = username
    magi = Magi.here(_profile(run))
    if print_only:
        return _print(run, chosen if clients else [], magi)
    if not (undo or dry_run):
        _make_profile(run)
    if not chosen:
        run.out.note(f"magi: None of {', '.join(CLIENTS)} is here. For another client: magi setup --print")
    worst = Status.DONE
    for adapter in chosen:
        worst = max(worst, _wire(run, adapter, adapter.pieces(Home.own(), magi), undo=undo, dry_run=dry_run))
    return worst


def _chosen(names: Sequence[str], home: Home) -> list[Adapter]:
    """Return the clients that were named, else those that are here.

    Raises:
        typer.BadParameter: There is none of that name.
    """
    if strange := [name for name in names if name not in CLIENTS]:
        raise typer.BadParameter(f"{strange[0]!r} is none of {', '.join(CLIENTS)}. For another client: --print.")
    return [one for one in CLIENTS.values() if (one.name in names if names else one.is_here(home))]


def _profile(run: Run) -> str:
    """Return the profile for the commands; empty for the default one."""
    name = settle(run.options).places.profile
    return "" if name == DEFAULT_PROFILE else name


# --- the profile -----------------------------------------------------------------------------------------------------


def _make_profile(run: Run) -> None:
    """Make the profile if there is none and a name was given; say what is missing, or worth knowing, else."""
    from magi.desk.profile import Profile  # noqa: PLC0415  a store, which --help does not need

    settings = settle(run.options)
    if not settings.places.identity_key.exists():
        if not settings.username:
            run.out.note("magi: There is no profile yet. Until there is one, the tools say so: magi register -u NAME")
            return
        Profile.create(run.options)
        run.out.note(
            f"magi: The profile {settings.places.profile} is made. The name is taken when magi first connects."
        )
    try:
        servers = Profile.load(run.options).servers
    except ProfileError as error:
        run.out.note(f"magi: {error}")
        return
    for address in servers:
        if not is_encrypted(address):
            run.out.note(f"magi: {place(address)} is not encrypted on the way.")


# --- clients ---------------------------------------------------------------------------------------------------------


def _wire(run: Run, adapter: Adapter, pieces: Sequence[Piece], *, undo: bool, dry_run: bool) -> Status:
    """Do for one client what is to be done. What one file refuses does not keep the others from being changed."""
    status = Status.DONE
    changed = False
    for piece in pieces:
        try:
            change = piece.change(undo=undo)
            if change is None:
                continue
            changed = True
            _show(run, adapter, piece, change)
            if not dry_run:
                change.carry_out()
        except Unusable as fault:
            status = Status.ERROR
            run.out.record("refusal", client=adapter.name, file=piece.where)
            run.out.note(f"magi: {adapter.name}: {fault}")
            if not undo and (snippet := fault.snippet or piece.snippet()):
                run.out.note(f"magi: What belongs there:\n{snippet.rstrip()}")
    if status == Status.DONE:
        run.out.record(
            "client", client=adapter.name, changed=changed, done=not dry_run, undone=undo, level=adapter.level
        )
        run.out.say(_summary(adapter, changed=changed, undo=undo, dry_run=dry_run))
        if adapter.remark and not undo:
            run.out.note(f"magi: {adapter.remark}")
    return status


def _show(run: Run, adapter: Adapter, piece: Piece, change: Change) -> None:
    run.out.record("change", client=adapter.name, file=piece.where)
    run.out.say(change.shown())


def _summary(adapter: Adapter, *, changed: bool, undo: bool, dry_run: bool) -> str:
    if dry_run:
        return f"{adapter.name}: nothing was done." if changed else f"{adapter.name}: nothing is to be done."
    if undo:
        return f"{adapter.name}: magi is taken out." if changed else f"{adapter.name}: there was nothing of magi."
    how = f"level {adapter.level}: {LEVELS[adapter.level]}"
    return f"{adapter.name}: wired for {how}. Restart it." if changed else f"{adapter.name}: wired already, for {how}."


def _print(run: Run, chosen: Sequence[Adapter], magi: Magi) -> Status:
    program, *arguments = magi.mcp()
    if not chosen:
        run.out.note(f"magi: {OTHERS}")
        entry = {"mcpServers": {NAME: {"command": program, "args": arguments}}}
        run.out.record("snippet", client="", file="", text=json.dumps(entry))
        run.out.say(json.dumps(entry, indent=2))
    for adapter in chosen:
        for piece in adapter.pieces(Home.own(), magi):
            run.out.record("snippet", client=adapter.name, file=piece.where, text=piece.snippet())
            run.out.note(f"magi: {adapter.name}: {piece.where}")
            run.out.say(piece.snippet().rstrip())
    return Status.DONE
