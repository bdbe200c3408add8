"""Two friends on two nodes in one process, whose clients write down what they do and see, step by step.

What :class:`tests.chaos.client.ChaosClient` is to real nodes, a :class:`Person` is to a stepper: everything that depends on
time or chance is a step, so that the same choices give the same history.
"""

import asyncio
import itertools
import json
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from exchange.core.ids import order
from exchange.handlers.exchange import Policy
from exchange.node.delivery import RULES
from exchange.storage.memory.state import Memory
from tests.chaos.checker import check
from tests.chaos.habits import UNCERTAIN
from tests.chaos.history import FIRST, REPEAT, STORED, History, Op
from tests.chaos.stepper import Stepper
from tests.harness.world import STORING, Peer, Place, Time

POLICY = Policy(asks_per_minute=0, store_up_seconds=0)


class Person:
    """A client that notes what it does and sees, knows repeats by their id, and comes back with its newest token."""

    def __init__(self, stage: "Stage", name: str) -> None:
        self.stage = stage
        self.name = name
        self.peer: Peer
        self.acks = False
        """Whether it acknowledges what it gets, some time after it got it."""
        self.token = ""
        self.given: dict[str, list[str]] = {}
        """The offsets that each session was given."""
        self._seen: set[str] = set()
        self._awaited: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._deaf: set[str] = set()
        self._acking: set[asyncio.Task[None]] = set()

    @property
    def here(self) -> bool:
        return self.peer.connection.open

    async def come(self, place: Place) -> None:
        """Open a new session, on any node, with the newest token."""
        peer = place.connect()
        peer.send = partial(self._hear, peer)
        self.peer = peer
        proof = {"token": self.token} if self.token else {}
        reply = await self.ask("identified", "identify", username=self.name, features=STORING, **proof)
        assert reply["type"] == "identified", reply

    async def leave(self) -> None:
        """Break off; the node notices a step later."""
        peer = self.peer
        self._deaf.add(self.sid(peer))
        self.note(peer, Op.CLOSED)
        await self.stage.stepper.stop_here("leave")
        peer.leave()

    async def send(self, *ids: str, **fields: Any) -> None:
        """Send messages to Bob, each after the reply to the one before."""
        for id_ in ids:
            await self.stage.stepper.stop_here("send")
            about = {"id": id_, "sender": self.name, "recipient": "bob"}
            self.note(self.peer, Op.INVOKE, result="ask", **about)
            reply = await self.ask(id_, "ask", content=id_, to="bob", id=id_, **fields)
            if reply["type"] == "question_sent":
                self.note(self.peer, Op.OK, tier=STORED, result=reply["status"], **about)
            else:
                assert reply["code"] not in UNCERTAIN, reply
                self.note(self.peer, Op.FAIL, result=reply["code"], **about)

    async def ask(self, awaited: str, type_: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return the frame with this id or of this type, or the error in its place."""
        reply = self._awaited[awaited] = asyncio.get_running_loop().create_future()
        self.peer.say(type_, **fields)
        return await reply

    def sid(self, peer: Peer) -> str:
        return peer.connection.session.sid

    def note(self, peer: Peer, op: Op, **what: str) -> None:
        self.stage.history.note(self.name, self.sid(peer), op, **what)

    async def ack(self, peer: Peer, offset: str) -> None:
        """Acknowledge what this session was given, if it still can a step later."""
        await self.stage.stepper.stop_here("ack")
        if peer.connection.open and self.sid(peer) not in self._deaf:
            self.note(peer, Op.ACK, detail=offset)
            peer.say("ack", upTo=offset)

    def _hear(self, peer: Peer, message: bytes) -> None:
        frame = json.loads(message)
        if self.sid(peer) in self._deaf:
            return
        self.token = frame.get("token", self.token)
        if frame["type"] == "identified":
            self.note(peer, Op.OPENED)
        elif frame["type"] == "question":
            self._receive(peer, frame)
        elif frame["type"] in {"expired", "parked"}:
            self.note(peer, Op.NOTICE, id=frame["id"], sender=self.name, result=frame["type"], detail=frame["offset"])
        answered = frame["type"]
        if answered in {"question_sent", "error"}:
            answered = frame.get("id") or next(iter(self._awaited))
        if answered in self._awaited:
            self._awaited.pop(answered).set_result(frame)

    def _receive(self, peer: Peer, frame: dict[str, Any]) -> None:
        first = frame["id"] not in self._seen
        self._seen.add(frame["id"])
        self.given.setdefault(self.sid(peer), []).append(frame["offset"])
        about = {"id": frame["id"], "sender": frame["from"], "recipient": self.name, "detail": frame["offset"]}
        self.note(peer, Op.RECV, result=FIRST if first else REPEAT, **about)
        if self.acks:
            task = asyncio.get_running_loop().create_task(self.ack(peer, frame["offset"]))
            self._acking.add(task)
            task.add_done_callback(self._acking.discard)


class Stage:
    """Two nodes, and two friends on the first of them who want their mail stored.

    If the store is ``late``, its wakes and those of its replies that say how things stand are steps on their way, too.
    """

    def __init__(self, stepper: Stepper, *, late: bool = False, window_count: int = RULES.window_count) -> None:
        self.stepper = stepper
        self.time = Time()
        self.memory = Memory(self.time)
        stepper.attach(self.memory)
        moments = itertools.count()
        self.history = History(clock=lambda: next(moments) / 1000)
        self.here, self.there = Place(self.memory, "here", POLICY), Place(self.memory, "there", POLICY)
        for place in (self.here, self.there):
            place.hub._rules = replace(RULES, window_count=window_count)
            if late:
                stepper.delay(place.store.wakes)
                stepper.linger(place.store.wakes, "listen")
                stepper.linger(place.store.users, "open")
                stepper.linger(place.store.mailboxes, "read")
        self.ann, self.bob = Person(self, "ann"), Person(self, "bob")

    async def set(self, *, away: bool = False, waiting: int = 0) -> "Stage":
        """Make the friends, let Bob go if he is to be away, and let messages ``w1``, ... wait for him."""
        for place in (self.here, self.there):
            await place.start()
        await self.ann.come(self.here)
        await self.bob.come(self.here)
        invitation = await self.ann.ask("invite_created", "create_invite")
        await self.bob.ask("connected_to_friend", "connect", code=invitation["code"])
        await self.stepper.quiet()
        if away:
            await self.bob.leave()
            await self.stepper.quiet()
        await self.ann.send(*(f"w{number + 1}" for number in range(waiting)))
        await self.stepper.quiet()
        return self

    async def run(self, *works: Coroutine[Any, Any, Any]) -> None:
        for outcome in await self.stepper.run(*works):
            if isinstance(outcome, BaseException):
                raise outcome

    async def end(self) -> None:
        """Whoever is here has everything by now. Then Bob comes back if he is not, acknowledges, and gets one more."""
        if not self.bob.here:
            await self.bob.come(self.there)
            await self.stepper.quiet()
        self.bob.acks = True
        for offset in self.bob.given.get(self.bob.sid(self.bob.peer), [])[-1:]:
            await self.bob.ack(self.bob.peer, offset)
        await self.stepper.quiet()
        self.judge()
        await self.ann.send("last")
        await self.stepper.quiet()
        self.judge()
        assert not any(box.letters for uid, box in self.memory.boxes.items() if uid == self._bobs)

    @property
    def _bobs(self) -> str:
        return self.bob.peer.connection.session.identified().uid

    def judge(self) -> None:
        """Assert that the history keeps all rules, each session was given mail once and in order, and the store adds up."""
        verdict = check(self.history)
        assert verdict, str(verdict)
        for offsets in self.bob.given.values():
            assert offsets == sorted(set(offsets), key=order), "a session was given mail twice, or out of order"
        for box in self.memory.boxes.values():
            offsets = [letter.offset for letter in box.letters]
            assert offsets == sorted(set(offsets), key=order)
            assert all(order(box.acked) < order(offset) <= order(box.last) for offset in offsets), "C6: acked and kept"
            assert order(box.acked) <= order(box.last)
            assert box.tries.keys() <= set(offsets), "C6: attempts of letters that are not there"

    def all_accepted(self) -> None:
        assert not [record for record in self.history.records if record.op in {Op.FAIL, Op.UNKNOWN}]
