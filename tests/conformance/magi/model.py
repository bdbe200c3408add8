"""The wire as a few dictionaries: what every client must be told after every request. No network, no time.

A grace is longer than a run, so whoever comes back to its name from its address comes back to its friends (MAGI-32).
"""

from dataclasses import dataclass, field
from typing import Any

Told = dict[str, Any]
UNKNOWN_CODE = "Invalid or expired invitation code"


@dataclass(eq=False)
class Link:
    """One end of a friendship. ``made`` orders by age; ``None`` after a reconnect, which may count as new or not."""

    peer: "Person"
    connection: str
    made: int | None
    waiting: bool = False


@dataclass(eq=False)
class Person:
    """A user from its first identify on, through renames and quick reconnects. ``seat`` is ``None`` while it is away."""

    name: str
    nick: str
    address: str
    seat: "Seat | None"
    links: dict["Person", Link] = field(default_factory=dict)

    def friend(self) -> dict[str, str]:
        return {"username": self.name, "nickname": self.nick}


@dataclass(eq=False)
class Seat:
    """One connection."""

    client_id: str
    address: str
    person: Person | None = None
    last_asker: Person | None = None
    pushes: list[Told] = field(default_factory=list)
    """What it must be told beside its replies, in order."""


def refusal(message: str) -> Told:
    return {"type": "error", "message": message}


class Wire:
    """The whole exchange. Every method returns the frames that answer the request, in order."""

    def __init__(self) -> None:
        self.live: dict[str, Person] = {}
        self.away: dict[str, Person] = {}
        """Who left a name and may come back to it."""
        self.ended: dict[frozenset[Person], str] = {}
        """Connections that come back when both ends are here again."""
        self.invites: dict[str, Person] = {}
        self._clock = 0

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    # --- identify ----------------------------------------------------------------------------------------------------

    def identify(self, seat: Seat, name: str, nick: str) -> list[Told]:
        me = seat.person
        holder = self.live.get(name)
        if holder is not None and holder is not me:
            return [refusal("Username already taken")]
        welcome: list[Told] = []
        if me is None:
            me = seat.person = self._arrive(seat, name, nick)
            welcome = self._restore(me)
        elif me.name != name:
            del self.live[me.name]
            self.away.pop(name, None)
        me.name, me.nick = name, nick
        self.live[name] = me
        seat.pushes += welcome
        return [{"type": "identified", "username": name, "nickname": nick, "clientId": seat.client_id}]

    def _arrive(self, seat: Seat, name: str, nick: str) -> Person:
        back = self.away.pop(name, None)
        if back is None or back.address != seat.address:
            return Person(name, nick, seat.address, seat)
        back.seat, back.nick = seat, nick
        return back

    def _restore(self, me: Person) -> list[Told]:
        welcome = []
        for peer in (peer for pair in self.ended if me in pair for peer in pair - {me} if peer.seat is not None):
            connection = self.ended[frozenset({me, peer})]
            me.links[peer] = Link(peer, connection, None)
            waited = peer.links.get(me)
            if waited is not None:
                # It redeemed our invitation meanwhile and was told then (MAGI-28).
                waited.waiting, waited.made = False, None
                welcome.append({"type": "friend_connected", "connectionId": connection, "friend": peer.friend()})
            else:
                peer.links[me] = Link(me, connection, None)
                assert peer.seat is not None
                peer.seat.pushes.append({"type": "friend_connected", "connectionId": connection, "friend": me.friend()})
        for peer in me.links:
            self.ended.pop(frozenset({me, peer}), None)
        return welcome

    # --- invitations -------------------------------------------------------------------------------------------------

    def invited(self, seat: Seat, code: str) -> list[Told]:
        """Enter a code that the exchange made up."""
        assert seat.person is not None
        self.invites[code] = seat.person
        return [{"type": "invite_created", "code": code, "from": seat.person.nick, "expiresIn": "30 minutes"}]

    def redeem(self, seat: Seat, code: str, fresh_connection: str) -> list[Told]:
        """``fresh_connection`` is what the exchange called the friendship, if it is a new one."""
        me = seat.person
        if me is None:
            return [refusal("Please identify yourself first")]
        code = code.strip().upper()
        inviter = self.invites.get(code)
        if inviter is None:
            return [refusal(UNKNOWN_CODE)]
        if inviter.name == me.name:
            return [refusal("Cannot connect to your own invitation")]
        del self.invites[code]
        known = me.links.get(inviter)
        connection = known.connection if known is not None else fresh_connection
        away = inviter.seat is None
        me.links[inviter] = Link(inviter, connection, self._tick(), waiting=away)
        if inviter.seat is None:
            self.ended[frozenset({me, inviter})] = connection
        else:
            inviter.links[me] = Link(me, connection, self._tick())
            inviter.seat.pushes.append({"type": "friend_connected", "connectionId": connection, "friend": me.friend()})
        return [{"type": "connected_to_friend", "connectionId": connection, "friend": inviter.friend()}]

    # --- messages ----------------------------------------------------------------------------------------------------

    def send(self, seat: Seat, type_: str, content: Any, to: str | None) -> list[Told]:
        me = seat.person
        if me is None:
            return [refusal("Please identify yourself first")]
        found = self.target(seat, type_, to)
        if isinstance(found, str):
            return [refusal(found)]
        if found.waiting:
            return [refusal(f"{found.peer.nick} is not connected")]
        if content is None:
            return [refusal("Invalid message format")]
        receiver = found.peer.seat
        assert receiver is not None
        push = "question" if type_ == "ask" else "answer"
        receiver.pushes.append({"type": push, "content": content, "from": me.name, "fromNickname": me.nick})
        if type_ == "ask":
            receiver.last_asker = me
        return [{"type": f"{push}_sent", "content": content, "to": found.peer.nick}]

    def target(self, seat: Seat, type_: str, to: str | None) -> Link | str:
        """Return whom ``to`` means, or the refusal (MAGI-27)."""
        me = seat.person
        assert me is not None
        if not to:
            return self._any_friend(seat, type_)
        named = [link for link in me.links.values() if link.peer.name == to]
        if named:
            # Two can have had the same name, one after the other: the one who has it now is meant.
            return max(named, key=lambda link: link.peer.seat is not None)
        if to in self.live:
            hint = ". Create an invite first." if type_ == "ask" else ""
            return f"No active connection with {self.live[to].nick}{hint}"
        if to.lower() in ("anyone", "friend"):
            return self._any_friend(seat, type_)
        wanted = to.removeprefix("@").casefold()
        hits = [
            link
            for link in me.links.values()
            if wanted
            in (link.peer.name.casefold(), link.peer.nick.casefold(), link.peer.name.partition("@")[0].casefold())
        ]
        return hits[0] if len(hits) == 1 else f"User '{to}' not found or not connected"

    def _any_friend(self, seat: Seat, type_: str) -> Link | str:
        me = seat.person
        assert me is not None
        if type_ == "answer" and seat.last_asker in me.links and not me.links[seat.last_asker].waiting:
            return me.links[seat.last_asker]
        if not me.links:
            return "No active connection. Please connect first." if type_ == "ask" else "No active connection"
        return max(me.links.values(), key=lambda link: (not link.waiting, link.made or 0))

    def is_certain(self, seat: Seat, to: str | None) -> bool:
        """Tell whether the wire says whom this means: the age of a friendship that was restored is nobody's promise."""
        me = seat.person
        if me is None:
            return True
        names = [link.peer.name for link in me.links.values()]
        if to and to.lower() not in ("anyone", "friend"):
            return names.count(to) < 2
        return len(me.links) < 2 or all(link.made is not None for link in me.links.values())

    # --- leaving -----------------------------------------------------------------------------------------------------

    def leave(self, seat: Seat) -> None:
        me = seat.person
        if me is None:
            return
        for peer, link in me.links.items():
            self.ended[frozenset({me, peer})] = link.connection
            if peer.links.pop(me, None) is not None and peer.seat is not None:
                peer.seat.pushes.append({"type": "friend_disconnected", "friend": me.friend()})
        me.links.clear()
        me.seat = None
        del self.live[me.name]
        self.away[me.name] = me
