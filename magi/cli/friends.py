"""``friends``, ``users``, ``invite``, ``connect`` and what ends a friendship."""

from collections.abc import Sequence
from typing import Annotated

import typer

from magi.cli import owner, words
from magi.cli.command import Run, command
from magi.cli.statuses import Status
from magi.daemon.port import DeskError, FriendView

app = typer.Typer(rich_markup_mode=None)

WhoArgument = Annotated[str, typer.Argument(metavar="WHO", help="A friend: petname or username.", show_default=False)]


@command(app, "invite", undone="There is no invitation.")
async def invite(
    run: Run,
    *,
    for_: Annotated[str, typer.Option("--for", metavar="NAME", help="Only this user may use it.")] = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="Ask me before the friendship begins.")] = False,
) -> None:
    """Make an invitation code for one friend.

    magi invite
    """
    async with run.desk(starts=True) as desk:
        made = await desk.invite(for_name=for_, confirm=confirm)
    run.out.view(made)
    run.out.say(made.code)
    run.out.note(
        f"magi: Good until {words.moment(made.expires_at_ms)}, for one friend, who types: magi connect {made.code}"
    )


@command(app, "connect", undone="You are not connected.")
async def connect(
    run: Run,
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="The code you were given, in any letter case.", show_default=False)
    ],
    *,
    petname: Annotated[str, typer.Option("--as", metavar="PETNAME", help="What to call this friend here.")] = "",
) -> None:
    """Use an invitation code: whoever made it is your friend then.

    magi connect K7M2QX --as bob
    """
    async with run.desk(starts=True) as desk:
        friend = await desk.connect(code, petname=petname)
    run.out.view(friend)
    run.out.say(f"{friend.petname} ({friend.username}) is your friend. Try: magi ask {friend.petname} ...")


@command(app, "friends")
async def friends(
    run: Run, name: Annotated[str, typer.Argument(metavar="NAME", help="Only this one.", show_default=False)] = ""
) -> None:
    """Show your friends, and what may be answered without you.

    magi friends
    """
    async with run.desk() as desk:
        known = await desk.friends()
    if name:
        known = (called(known, name),)
    _show(run, known)
    if not known:
        run.out.note("magi: No friends yet. To make one: magi invite")


@command(app, "users")
async def users(run: Run) -> None:
    """Show the friends who are online now.

    magi users
    """
    async with run.desk() as desk:
        known = [friend for friend in await desk.friends() if friend.online]
    _show(run, known)
    if not known:
        run.out.note("magi: None of your friends is online.")


def called(known: Sequence[FriendView], who: str) -> FriendView:
    """Return the friend of a petname, in any letter case, or of a username.

    Raises:
        DeskError: Nobody is called so.
    """
    name = who.removeprefix("@")
    for friend in known:
        if name.lower() == friend.petname.lower() or name == friend.username:
            return friend
    raise DeskError(f"You have no friend called {name}. To see all: magi friends")


def _show(run: Run, known: Sequence[FriendView]) -> None:
    for friend in known:
        run.out.view(friend)
    heads = ("name", "username", "nickname", "", "mode", "trust", "answers by", "status", "waits")
    rows = [
        (
            friend.petname,
            friend.username,
            friend.nickname,
            "online" if friend.online else "away",
            friend.mode,
            friend.trust,
            friend.answers,
            friend.status,
            str(friend.open_count),
        )
        for friend in known
    ]
    run.out.table(heads, rows)


@command(app, "block", undone="Nobody was blocked.")
async def block(run: Run, who: WhoArgument) -> None:
    """Have nothing to do with somebody: what comes is thrown away.

    magi block mallory
    """
    async with run.desk() as desk:
        await desk.block(who)
    run.out.note(f"magi: {who} is blocked. To undo it: magi unblock {who}")


@command(app, "unblock", undone="Nobody was unblocked.")
async def unblock(run: Run, who: WhoArgument) -> None:
    """Let a blocked user reach you again. This takes you, at a terminal.

    magi unblock mallory
    """
    await owner.confirm(f"unblock {who}")
    async with run.desk() as desk:
        await desk.block(who, blocked=False)
    run.out.note(f"magi: {who} is not blocked any more.")


@command(app, "unfriend", undone="Nothing was changed.")
async def unfriend(
    run: Run, who: WhoArgument, *, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask back.")] = False
) -> Status:
    """End a friendship for good, on both sides.

    magi unfriend bob
    """
    if not yes:
        if not owner.at_terminal():
            raise typer.BadParameter("Without a terminal this needs --yes.")
        if (await owner.reply(f"End the friendship with {who} for good? [y/N] ")).strip().lower() not in {"y", "yes"}:
            run.out.note("magi: Nothing was changed.")
            return Status.ERROR
    async with run.desk() as desk:
        await desk.unfriend(who)
    run.out.note(f"magi: {who} is no friend any more. What was said stays in: magi history")
    return Status.DONE


@command(app, "verify")
async def verify(run: Run, who: WhoArgument) -> Status:
    """Compare keys with a friend. Nothing can be verified yet.

    magi verify bob
    """
    run.out.note(
        f"magi: Nothing can be verified yet: messages are not encrypted between you and {who}, and {who} has no key. "
        "You trust the exchange to pass on who is who."
    )
    return Status.ERROR
