"""Users and their sessions on Redis. All keys of a user share one slot, so opening and closing are one step each."""

from exchange.core.ids import Uid
from exchange.core.model import Link, Presence, Standing
from exchange.ports import Opened
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.records import unpack_links
from exchange.storage.redis.scripts import CLOSE_SESSION, OPEN_SESSION, READ_STANDING


class Users:
    """Implements ``exchange.ports.Users``."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace
        self.unknown_records = 0
        """Records of a newer release that were left out."""

    async def open(self, presence: Presence, nick: str) -> Opened:
        generation, rev, fields, restored, waiting = await self._lane.ask_script(
            OPEN_SESSION,
            self._keys(presence.uid),
            (presence.sid, presence.node, presence.dialect, presence.name, nick),
        )
        return Opened(generation, rev, self._links(fields), _peers(restored), _peers(waiting))

    async def close(self, uid: Uid, sid: str, *, grace_ms: int) -> tuple[Link, ...]:
        return self._links(await self._lane.ask_script(CLOSE_SESSION, self._keys(uid), (sid, grace_ms)))

    async def rename(self, uid: Uid, name: str, nick: str) -> None:
        key = self._keyspace.user(uid)
        # Writing to a user that was forgotten would leave a key that never runs out.
        if await self._lane.ask("EXISTS", key):
            await self._lane.ask("HSET", key, "name", name, "nick", nick)

    async def standing(self, uid: Uid) -> Standing | None:
        keys = (self._keyspace.user(uid), self._keyspace.sessions(uid))
        reply = await self._lane.ask_script(READ_STANDING, keys, ())
        if not reply:
            return None
        name, nick, sessions_count, left_ms = reply
        return Standing(name.decode(), nick.decode(), sessions_count, left_ms)

    def _keys(self, uid: Uid) -> tuple[str, ...]:
        space = self._keyspace
        return space.user(uid), space.meta(uid), space.sessions(uid), space.links(uid), space.ended(uid)

    def _links(self, fields: list[bytes]) -> tuple[Link, ...]:
        links, unknown_count = unpack_links(fields)
        self.unknown_records += unknown_count
        return links


def _peers(reply: list[bytes]) -> frozenset[Uid]:
    return frozenset(peer.decode() for peer in reply)
