"""A user as one node knows it: names, links, and the order in which wakes for it are worked off."""

from collections import deque

from exchange.core.ids import Uid
from exchange.core.links import LinkTable
from exchange.core.model import Link, Profile
from exchange.core.wakes import Wake


class LocalUser:
    """A user with a session on this node.

    Wakes are worked off in the order in which they arrive. Whoever needs the link table to stand still (attach, redeem,
    reload) holds the user: wakes then wait in ``backlog``, and are worked off when the last hold ends.
    """

    __slots__ = (
        "backlog",
        "backlog_bytes",
        "capabilities",
        "features",
        "generation",
        "held",
        "links",
        "name",
        "nick",
        "status",
        "uid",
    )

    def __init__(self, uid: Uid, name: str, nick: str, features: frozenset[str] = frozenset()) -> None:
        self.uid = uid
        self.name = name
        self.nick = nick
        self.features = features
        self.status = ""
        self.capabilities: tuple[str, ...] = ()
        self.generation = 0
        """Of its session: larger than that of every earlier one (DEL-26)."""
        self.links = LinkTable()
        self.held = 0
        self.backlog: deque[Wake] = deque()
        self.backlog_bytes = 0

    @property
    def profile(self) -> Profile:
        """How this user is described to its friends."""
        return Profile(self.name, self.nick, self.features, self.status, self.capabilities)

    def end_of(self, connection: str, *, persist: bool = False) -> Link:
        """Return the link to this user that a friend has, or is to have, under ``connection``."""
        return Link(
            self.uid,
            connection,
            self.name,
            self.nick,
            persist=persist,
            features=self.features,
            status=self.status,
            capabilities=self.capabilities,
            stamp=self.generation,
        )
