"""The friends, as last heard of. The store keeps them; this is the copy that every message is addressed by."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec import UNSET

from magi.client.model import Event, Friend
from magi.client.ports import Store
from magi.wire import magi1_frames as frames

ANYBODY = frozenset({"", "anyone", "friend"})
"""Words that name no friend in particular (MAGI-27)."""


class Circle:
    """All friends of one user."""

    def __init__(self, store: Store, tell: Callable[[Event], None]) -> None:
        """``tell`` hears of friends who come, go, or say something else of themselves."""
        self._store = store
        self._tell = tell
        self._friends: dict[str, Friend] = {}

    async def load(self) -> None:
        """Begin with what the store knows. Nobody is online before the exchange has said so."""
        known = (replace(friend, online=False) for friend in await self._store.friends())
        self._friends = {friend.username: friend for friend in known}

    def all(self) -> list[Friend]:
        """Return all friends, oldest first."""
        return list(self._friends.values())

    def get(self, username: str) -> Friend | None:
        """Return the friend of exactly this username."""
        return self._friends.get(username)

    def resolve(self, to: str) -> str:
        """Return the username that ``to`` means, by the rules of the exchange (MAGI-27); ``to`` itself if none fits.

        A message must be addressed before it is sent: its answer is known by who gave it.
        """
        if to in self._friends:
            return to
        if to.casefold() in ANYBODY:
            newest = [friend.username for friend in reversed(self._friends.values())]
            return next((name for name in newest if self._friends[name].online), newest[0] if newest else to)
        wanted = to.removeprefix("@").casefold()
        fitting = [friend.username for friend in self._friends.values() if wanted in _names(friend)]
        return fitting[0] if len(fitting) == 1 else to

    # --- what the exchange says --------------------------------------------------------------------------------------

    async def listed(self, friendships: Sequence[frames.Friendship]) -> None:
        """Replace everything by the list of the exchange. It does not say what friends said of themselves."""
        self._friends = {
            one.username: replace(
                self._friends.get(one.username) or Friend(one.username, one.nickname),
                nickname=one.nickname,
                connection=one.connectionId,
                online=one.online,
                features=frozenset(one.features),
            )
            for one in friendships
        }
        await self._store.keep_friends(self.all())

    async def joined(self, frame: frames.ConnectedToFriend | frames.FriendConnected) -> Friend:
        """Take note of a new friend, or of one who is back."""
        friend = replace(self._described(frame.friend), connection=frame.connectionId)
        if frame.friend.online is UNSET:
            friend = replace(friend, online=True)
        await self._keep(friend)
        if isinstance(frame, frames.FriendConnected):
            self._tell(Event("friend_connected", friend))
        return friend

    async def left(self, frame: frames.FriendDisconnected, *, for_good: bool) -> None:
        """Take note of a friend who went; ``for_good`` if the friendship has ended."""
        friend = replace(self._described(frame.friend), online=False)
        if for_good:
            await self.drop(friend.username)
        else:
            await self._keep(friend)
        self._tell(Event("friend_disconnected", friend))

    async def changed(self, frame: frames.FriendPresence) -> None:
        """Take note of a friend who came, went, or says something else of itself."""
        friend = replace(
            self._described(frame.friend),
            online=frame.online,
            status="" if frame.status is UNSET else frame.status,
            capabilities=() if frame.capabilities is UNSET else frame.capabilities,
        )
        await self._keep(friend)
        self._tell(Event("friend_presence", friend))

    async def drop(self, username: str) -> None:
        """Forget a friend."""
        self._friends.pop(username, None)
        await self._store.drop_friend(username)

    async def _keep(self, friend: Friend) -> None:
        self._friends[friend.username] = friend
        await self._store.keep_friend(friend)

    def _described(self, friend: frames.Friend) -> Friend:
        known = self._friends.get(friend.username) or Friend(friend.username, friend.nickname)
        return replace(
            known,
            nickname=friend.nickname,
            online=known.online if friend.online is UNSET else friend.online,
            features=known.features if friend.features is UNSET else frozenset(friend.features),
        )


def _names(friend: Friend) -> set[str]:
    username = friend.username.casefold()
    return {username, friend.nickname.casefold(), username.partition("@")[0]}
