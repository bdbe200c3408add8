"""Friends as the owner knows them: by petname, with a mode."""

from collections import Counter

from magi.client.model import Friend, Origin
from magi.daemon.port import DeskError, FriendView
from magi.daemon.premises import Premises
from magi.desk import consent, petnames
from magi.desk.consent import Act
from magi.desk.ports import Mode

ANYONE = "anyone"


class People:
    """Everybody this owner has to do with."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._client = premises.client
        self._ledger = premises.store.ledger

    async def petname(self, username: str, nickname: str = "") -> str:
        """Return what a user is called here. Whoever has no petname gets one, and the mode of a new friend (MCP-10)."""
        if known := await self._ledger.petname(username):
            return known
        people = await self._ledger.people()
        taken = {name for one in people if one.username != username for name in (one.petname, one.username) if name}
        taken |= {friend.username for friend in await self._client.friends() if friend.username != username}
        while True:
            petname = petnames.derived(nickname, username, taken)
            if await self._ledger.set_petname(username, petname):
                break
            taken.add(petname)
        default = self._premises.config().default_mode
        if default is not Mode.ASK and not any(one.username == username for one in people):
            await self._ledger.set_mode(username, default)
        return petname

    async def username(self, who: str) -> str:
        """Return whom a face means: a petname or a username.

        Raises:
            DeskError: Nobody is called so.
        """
        name = who.strip().removeprefix("@")
        if called := await self._ledger.username(name):
            return called
        for friend in await self._client.friends():
            if name == friend.username or await self.petname(friend.username, friend.nickname) == name.lower():
                return friend.username
        if any(one.username == name for one in await self._ledger.people()):
            return name
        raise DeskError(f"You have no friend called {who[:64]!r}. To see all: magi friends")

    async def addressee(self, who: str) -> str:
        """Return who is to be asked; ``anyone`` is a friend who is online, of those who are not muted or blocked.

        Raises:
            DeskError: Nobody fits.
        """
        if who.strip().lower() != ANYONE:
            return await self.username(who)
        fitting = []
        for friend in await self._client.friends():
            person = await self._ledger.person(friend.username)
            if not person.blocked and person.mode is not Mode.MUTE:
                fitting.append(friend)
        # The newest friend is the likeliest to be meant, as at the exchange (MAGI-27).
        fitting.sort(key=lambda friend: friend.online)
        if not fitting:
            raise DeskError("There is nobody to ask yet. To make a friend: magi invite")
        return fitting[-1].username

    async def all(self) -> tuple[FriendView, ...]:
        """Return all friends, oldest first."""
        counts = Counter((await self._premises.store.record.waiting()).questions)
        return tuple([await self._view(friend, counts) for friend in await self._client.friends()])

    async def view(self, username: str) -> FriendView:
        """Return a friend, or a user who is none any more."""
        counts = Counter((await self._premises.store.record.waiting()).questions)
        friends = {friend.username: friend for friend in await self._client.friends()}
        return await self._view(friends.get(username) or Friend(username, username), counts)

    async def connect(self, code: str, petname: str) -> FriendView:
        """Redeem a code.

        Raises:
            DeskError: The petname cannot be used. The code was not.
            MagiError: What the exchange said.
        """
        if petname:
            await self._check(petname, "")
        friend = await self._client.connect(code.strip())
        if petname and not await self._ledger.petname(friend.username):
            await self._ledger.set_petname(friend.username, petname)
        await self.petname(friend.username, friend.nickname)
        self._premises.pulse.beat()
        return await self.view(friend.username)

    async def rename(self, who: str, petname: str) -> FriendView:
        """Call a friend something else, here.

        Raises:
            DeskError: Nobody is called so, or the new petname cannot be used.
        """
        username = await self.username(who)
        await self._check(petname, username)
        if not await self._ledger.set_petname(username, petname):
            raise DeskError(f"Somebody else is called {petname}.", 2)
        self._premises.pulse.beat()
        return await self.view(username)

    async def mode(self, who: str, mode: str) -> FriendView:
        """Set the consent mode of a friend (CLI-33)."""
        username = await self.username(who)
        await self._ledger.set_mode(username, _mode(mode))
        self._premises.pulse.beat()
        return await self.view(username)

    async def changing(self, who: str, mode: str) -> Act:
        """Return what it is to set a mode: raising or lowering."""
        return consent.changing(await self._ledger.mode(await self.username(who)), _mode(mode))

    async def unfriend(self, who: str) -> None:
        """End a friendship; where the exchange cannot, the friend is muted here."""
        username = await self.username(who)
        if not await self._client.unfriend(username):
            await self._ledger.set_mode(username, Mode.MUTE)
        self._premises.pulse.beat()

    async def block(self, who: str, *, blocked: bool) -> None:
        """Have nothing to do with a user, who may be a stranger, or again."""
        try:
            username = await self.username(who)
        except DeskError:
            username = who
        # Here first: what the exchange does not learn now, this machine keeps to anyway.
        await self._ledger.set_blocked(username, blocked)
        self._premises.pulse.beat()
        await (self._client.block(username) if blocked else self._client.unblock(username))

    async def shows(self, username: str, origin: Origin) -> bool:
        """Tell whether words of a user may be shown to somebody (CLI-33)."""
        return consent.sees(await self._ledger.mode(username), origin)

    async def _view(self, friend: Friend, counts: Counter[str]) -> FriendView:
        return FriendView(
            petname=await self.petname(friend.username, friend.nickname),
            username=friend.username,
            nickname=friend.nickname,
            online=friend.online,
            mode=(await self._ledger.mode(friend.username)).value,
            status=friend.status,
            capabilities=friend.capabilities,
            open_count=counts[friend.username],
        )

    async def _check(self, petname: str, username: str) -> None:
        if petnames.usable(petname) is None:
            raise DeskError(
                f"{petname[:64]!r} is no petname: 1 to 32 letters, digits and -, and no word of magi's own.", 2
            )
        owner = await self._ledger.username(petname)
        known = {friend.username.lower(): friend.username for friend in await self._client.friends()}
        if (owner and owner != username) or known.get(petname.lower(), username) != username:
            raise DeskError(f"Somebody else is called {petname}.", 2)


def _mode(word: str) -> Mode:
    try:
        return Mode(word)
    except ValueError:
        raise DeskError(f"{word[:32]!r} is no mode: ask, auto or mute.", 2) from None
