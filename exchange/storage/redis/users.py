"""Users and their sessions on Redis. All keys of a user share one slot, so opening and closing are one step each."""

from exchange.core.ids import NOWHERE, Offset, Uid
from exchange.core.model import Link, MailState, Presence, Profile, Standing
from exchange.ports import Closed, Opened
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.records import pack_profile, unpack_links
from exchange.storage.redis.scripts import CLOSE_SESSION, DESCRIBE_USER, OPEN_SESSION, READ_STANDING


class Users:
    """Implements ``exchange.ports.Users``."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace
        self.unknown_records = 0
        """Records of a newer release that were left out."""

    async def open(self, presence: Presence, profile: Profile, *, takeover: bool = False) -> Opened:
        uid = presence.uid
        generation, rev, fields, restored, waiting, mail = await self._lane.ask_script(
            OPEN_SESSION,
            (*self._keys(uid), self._keyspace.wake(uid)),
            (presence.sid, presence.node, presence.dialect, pack_profile(profile), int(takeover)),
        )
        return Opened(generation, rev, self._links(fields), _peers(restored), _peers(waiting), _mail(mail))

    async def close(self, uid: Uid, sid: str, *, grace_ms: int) -> Closed:
        reply = await self._lane.ask_script(CLOSE_SESSION, self._keys(uid), (sid, grace_ms))
        if not reply:
            return Closed()
        ended, staying, stamp, belongings, mail_until_ms = reply
        return Closed(self._links(ended), self._links(staying), stamp, bool(belongings), mail_until_ms)

    async def displaced(self, uid: Uid, sid: str) -> bool:
        sids = await self._lane.ask("HKEYS", self._keyspace.sessions(uid))
        return bool(sids) and sid.encode() not in sids

    async def describe(self, uid: Uid, profile: Profile, *, generation: int) -> None:
        keys = (self._keyspace.user(uid), self._keyspace.meta(uid))
        await self._lane.ask_script(DESCRIBE_USER, keys, (pack_profile(profile), generation))

    async def standing(self, uid: Uid) -> Standing | None:
        space = self._keyspace
        keys = (space.user(uid), space.sessions(uid), space.links(uid), space.mailbox(uid))
        reply = await self._lane.ask_script(READ_STANDING, keys, ())
        if not reply:
            return None
        name, nick, features, sessions_count, left_ms, belongings = reply
        wanted = frozenset(features.decode().split())
        return Standing(name.decode(), nick.decode(), sessions_count, left_ms, wanted, bool(belongings))

    def _keys(self, uid: Uid) -> tuple[str, ...]:
        space = self._keyspace
        return (
            space.user(uid),
            space.meta(uid),
            space.sessions(uid),
            space.links(uid),
            space.ended(uid),
            space.mailbox(uid),
        )

    def _links(self, fields: list[bytes]) -> tuple[Link, ...]:
        links, unknown_count = unpack_links(fields)
        self.unknown_records += unknown_count
        return links


def _peers(reply: list[bytes]) -> frozenset[Uid]:
    return frozenset(peer.decode() for peer in reply)


def _mail(fields: list[bytes | None]) -> MailState:
    epoch, last, acked, count = fields
    if epoch is None:
        return MailState()
    return MailState(epoch.decode(), _offset(last), _offset(acked), int(count or 0))


def _offset(field: bytes | None) -> Offset:
    return field.decode() if field is not None else NOWHERE
