"""A user as one node knows it: names, links, and the order in which wakes for it are worked off."""

from collections import deque

from exchange.core.ids import Uid
from exchange.core.links import LinkTable
from exchange.core.wakes import Wake


class LocalUser:
    """A user with a session on this node.

    Wakes are worked off in the order in which they arrive. Whoever needs the link table to stand still (attach, redeem,
    reload) holds the user: wakes then wait in ``backlog``, and are worked off when the last hold ends.
    """

    __slots__ = ("backlog", "backlog_bytes", "held", "links", "name", "nick", "uid")

    def __init__(self, uid: Uid, name: str, nick: str) -> None:
        self.uid = uid
        self.name = name
        self.nick = nick
        self.links = LinkTable()
        self.held = 0
        self.backlog: deque[Wake] = deque()
        self.backlog_bytes = 0
