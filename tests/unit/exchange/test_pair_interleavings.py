"""Every order in which the ends of a pair can enter, send, replace each other, leave and be thrown out (CORAL-11 to CORAL-27).

Two nodes on one store in memory. A step is one call of the store, one reply of it that says how things stand, one wake on its
way to a node, one frame, one break of a connection. What the store publishes is written down in its order; what each client
hears has to be exactly what was published for its number, up to a point, and in the end all of it. A failure names the choices;
``Stepper([...])`` plays them again. Each control makes the code under test worse and is found out.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import structlog

from exchange.core.pairs import End, PairId, PassedOn, PeerDown, PeerUp, Role, SlotWake, Superseded
from exchange.front import Ending
from exchange.node import switchboard
from exchange.node.switchboard import LocalSwitchboard
from exchange.storage.memory.pairs import Pairs
from exchange.storage.memory.state import Memory
from tests.chaos.stepper import Stepper, explore
from tests.harness.joints import OFFLINE, ONLINE, TOKEN, Joint, text
from tests.harness.world import Time

PHONE, AGENT = Role.PHONE, Role.AGENT


@pytest.fixture(autouse=True)
def mistakes() -> Iterator[list[Any]]:
    """Keep only what is logged as an error of thousands of runs."""
    logged: list[Any] = []

    def only_errors(_: Any, method: str, event: Any) -> Any:
        if method in {"error", "exception", "critical"}:
            logged.append(event)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[only_errors])
    yield logged
    structlog.configure(**before)


# --- the stage -------------------------------------------------------------------------------------------------------


class Client:
    """A phone or an agent that notes what it hears, and what its node would still have told it after its end."""

    def __init__(self, stage: "Stage", role: Role, joint: Joint) -> None:
        self.stage, self.role, self.joint = stage, role, joint
        self.line = joint.dial()
        self.end: End | None = None
        self._send, self._close = self.line.send, self.line.close
        self.line.send, self.line.close = self._sent, self._closed  # type: ignore[method-assign]
        stage.clients.append(self)

    @property
    def here(self) -> bool:
        return self.line.connection.open

    async def come(self, *says: str) -> None:
        """Authenticate, and say something in the same breath."""
        await self.stage.stepper.stop_here("come")
        self.line.packet(text("auth", token=TOKEN, role=self.role.value), *map(_said, says))

    async def say(self, *words: str) -> None:
        for word in words:
            await self.stage.stepper.stop_here("say")
            self.line.packet(_said(word))

    async def leave(self) -> None:
        await self.stage.stepper.stop_here("leave")
        if self.here:
            self.line.leave()

    def _sent(self, message: bytes) -> None:
        frame = json.loads(message)
        if self.line.closed is not None:
            if self.line.ending is Ending.REPLACED and frame["type"] in {"chat.send", "status"}:
                self.stage.wrong.append("told after it was replaced")
        elif frame["type"] == "auth.ok":
            self.end = self.line.connection.session.end
            if self.line.heard:
                self.stage.wrong.append("told before it knew that it had entered")
        self._send(message)

    def _closed(self, code: int, reason: str, ending: Ending, *, discard: bool = False) -> None:
        if self.line.closed is None and ending is Ending.REPLACED:
            sid = self.stage.memory.slot(self.stage.pair, self.role).sid
            for other in self.stage.clients:
                entered = other.joint is self.joint and other.line.connection.session.sid == sid
                if entered and other.here and other.end is None:
                    self.stage.wrong.append("closed before its successor knew")
        self._close(code, reason, ending, discard=discard)


class Stage:
    """Two nodes and one pair. What is published is in ``published``, by role and number."""

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self.memory = Memory(Time())
        stepper.attach(self.memory)
        self.here, self.there = Joint(self.memory, "here"), Joint(self.memory, "there")
        for joint in (self.here, self.there):
            stepper.delay(joint.store.slots)
            stepper.linger(joint.store.pairs, "enter")
        self.clients: list[Client] = []
        self.wrong: list[str] = []
        """What clients noted while the code under test ran, which would swallow an assertion."""
        self.published: dict[tuple[Role, int], list[dict[str, Any]]] = defaultdict(list)
        tell_slot = self.memory.tell_slot

        def tell(pair: PairId, role: Role, wake: SlotWake) -> int:
            if isinstance(wake, PeerUp | PeerDown | PassedOn):
                self.published[role, wake.number].append(_frame(wake))
            return tell_slot(pair, role, wake)

        self.memory.tell_slot = tell  # type: ignore[method-assign]
        self.pair = ""

    async def set(self, **present: str) -> dict[Role, Client]:
        """Start the nodes, make the pair, and let these clients enter: ``phone="here"``."""
        for joint in (self.here, self.there):
            await joint.start()
        self.pair = await self.here.pair()
        clients = {}
        for role, name in present.items():
            clients[Role(role)] = client = self.client(Role(role), name)
            await client.come()
            await self.stepper.quiet()
        return clients

    def client(self, role: Role, name: str) -> Client:
        return Client(self, role, getattr(self, name))

    async def run(self, *works: Any) -> None:
        for outcome in await self.stepper.run(*works):
            if isinstance(outcome, BaseException):
                raise outcome
        await self.stepper.quiet()
        self.judge()

    def judge(self) -> None:
        """Nothing is under way any more: assert what must be so."""
        assert not self.wrong
        for client in self.clients:
            if client.end is not None:
                self._judge(client, client.end)
        for role in Role:
            slot = self.memory.slot(self.pair, role)
            current = [slot.number] if slot.sid else []
            boards = (self.here.switchboard, self.there.switchboard)
            live = [place.end.number for board in boards for place in board if place.live and place.end.role is role]
            assert live == current, f"live places of the {role}: {live}, current: {current}"
            open_ = [client.end for client in self.clients if client.here and client.role is role and client.end]
            assert [end.number for end in open_] == current, f"open connections of the {role}"

    def _judge(self, client: Client, end: End) -> None:
        heard = [frame for frame in client.line.heard[1:] if frame["type"] in {"status", "chat.send"}]
        meant = self.published[end.role, end.number]
        assert heard == meant[: len(heard)], f"not for it, or out of order: {heard}, but {meant}"
        if client.here:
            assert heard == meant, f"lost: {meant[len(heard) :]}"
        # The peer is there, or not: nothing else may be said of it, and whoever is not there says nothing.
        there = client.line.heard[0]["paired"]
        for frame in heard:
            if frame == ONLINE:
                there = True
            elif frame == OFFLINE:
                assert there, "seen off twice, or after its successor came"
                there = False
            else:
                assert there, f"{frame} of somebody who was not announced"
        if client.here:
            peer = bool(self.memory.slot(self.pair, end.role.other).sid)
            assert there == peer, "what it knows of its peer in the end is not so"

    async def end(self) -> None:
        """Let two fresh clients speak to each other; then all go, and nothing is left."""
        phone, agent = self.client(PHONE, "here"), self.client(AGENT, "there")
        for client in (phone, agent):
            await client.come()
            await self.stepper.quiet()
        await agent.say("last 1", "last 2")
        await phone.say("last 3")
        await self.stepper.quiet()
        self.judge()
        assert [frame["word"] for frame in phone.line.heard if frame["type"] == "chat.send"] == ["last 1", "last 2"]
        await self.clear()

    async def clear(self) -> None:
        for client in self.clients:
            await client.leave()
        await self.stepper.quiet()
        self.judge()
        assert self.memory.slot_listeners == {}, "channels that nobody forgot"
        assert not any(self.memory.noted.values()), "index entries of nobody"
        assert not self.here.switchboard._slots | self.there.switchboard._slots


def _said(word: str) -> bytes:
    return text("chat.send", word=word)


def _frame(wake: PassedOn | PeerUp | PeerDown) -> dict[str, Any]:
    if isinstance(wake, PassedOn):
        return json.loads(wake.frame)
    return ONLINE if isinstance(wake, PeerUp) else OFFLINE


# --- the scenarios ---------------------------------------------------------------------------------------------------


async def both_enter(stepper: Stepper, *, phone: str, agent: str) -> None:
    stage = Stage(stepper)
    await stage.set()
    phone_, agent_ = stage.client(PHONE, phone), stage.client(AGENT, agent)
    await stage.run(phone_.come("p1"), agent_.come("a1"))
    assert {client.line.heard[0]["paired"] for client in (phone_, agent_)} == {True, False}, "one is first (CORAL-15)"
    await stage.end()


async def phone_is_replaced(stepper: Stepper, *, node: str, words: int = 1) -> None:
    stage = Stage(stepper)
    old = await stage.set(phone="here", agent="there")
    new = stage.client(PHONE, node)
    await stage.run(new.come("p2"), old[AGENT].say(*(f"a{number}" for number in range(words))), old[PHONE].say("p1"))
    assert old[PHONE].line.ending is Ending.REPLACED
    assert new.here
    await stage.end()


async def old_one_leaves_meanwhile(stepper: Stepper, *, node: str) -> None:
    stage = Stage(stepper)
    old = await stage.set(phone="here", agent="there")
    new = stage.client(PHONE, node)
    await stage.run(new.come(), old[PHONE].leave(), old[AGENT].say("a1"))
    assert new.here
    await stage.end()


async def two_enter_one_slot(stepper: Stepper, *, first: str, second: str) -> None:
    stage = Stage(stepper)
    old = await stage.set(phone="here", agent="there")
    newcomers = stage.client(PHONE, first), stage.client(PHONE, second)
    await stage.run(newcomers[0].come(), newcomers[1].come(), old[AGENT].say("a1"))
    assert sum(client.here for client in newcomers) == 1
    await stage.end()


async def newcomer_leaves_at_once(stepper: Stepper, *, node: str) -> None:
    stage = Stage(stepper)
    old = await stage.set(phone="here", agent="there")
    new = stage.client(PHONE, node)

    async def come_and_go() -> None:
        await new.come()
        await new.leave()

    await stage.run(come_and_go(), old[AGENT].say("a1"))
    assert not new.here
    await stage.end()


async def token_is_deleted(stepper: Stepper, *, node: str) -> None:
    stage = Stage(stepper)
    old = await stage.set(phone="here", agent="there")
    new = stage.client(PHONE, node)
    works = new.come(), stage.there.store.pairs.delete(stage.pair), old[AGENT].say("a1")
    await stage.run(*works)
    assert not any(client.here for client in stage.clients)
    assert old[AGENT].line.ending is Ending.REVOKED
    await stage.clear()


def _words(one: Any) -> str:
    """Name one column of a table of cases."""
    if isinstance(one, dict):
        return ",".join(f"{name}={value}" for name, value in one.items())
    return one.__name__.strip("_") if callable(one) else str(one)


SCENARIOS = [
    (both_enter, {"phone": "here", "agent": "there"}, 2),
    (both_enter, {"phone": "here", "agent": "here"}, 2),
    (phone_is_replaced, {"node": "here"}, 1),
    (phone_is_replaced, {"node": "there"}, 1),
    (phone_is_replaced, {"node": "there", "words": 2}, 1),
    (old_one_leaves_meanwhile, {"node": "here"}, 1),
    (old_one_leaves_meanwhile, {"node": "there"}, 1),
    (two_enter_one_slot, {"first": "here", "second": "here"}, 0),
    (two_enter_one_slot, {"first": "there", "second": "here"}, 0),
    (two_enter_one_slot, {"first": "there", "second": "there"}, 0),
    (newcomer_leaves_at_once, {"node": "here"}, 2),
    (newcomer_leaves_at_once, {"node": "there"}, 2),
    (token_is_deleted, {"node": "here"}, 1),
    (token_is_deleted, {"node": "there"}, 1),
]


@pytest.mark.parametrize(("scenario", "how", "cuts_most"), SCENARIOS, ids=_words)
async def test_whatever_the_order_everybody_hears_what_is_meant_for_it_and_nothing_else(
    mistakes, scenario, how, cuts_most
):
    explored = await explore(partial(scenario, **how), cuts_most=cuts_most)
    assert explored.whole
    assert explored.runs > 10
    assert not mistakes


# --- the controls ----------------------------------------------------------------------------------------------------


def _tells_at_once(patch: pytest.MonkeyPatch) -> None:
    seat = LocalSwitchboard.seat

    def seats(board: LocalSwitchboard, session: Any, *, paired: bool) -> None:
        seat(board, session, paired=paired)
        place = board._place(session)
        place.live = True
        slot = board._slots[session.end.pair, session.end.role]
        for wake in slot.waiting:
            if getattr(wake, "number", 0) == session.end.number and not isinstance(wake, Superseded):
                board._work(place, wake)

    patch.setattr(LocalSwitchboard, "seat", seats)


def _hears_for_every_number(patch: pytest.MonkeyPatch) -> None:
    heard = LocalSwitchboard.heard

    def hears(board: LocalSwitchboard, pair: PairId, role: Role, wake: Any) -> None:
        slot = board._slots.get((pair, role))
        if isinstance(wake, PassedOn) and slot is not None and slot.places:
            wake = wake._replace(number=max(slot.places))
        heard(board, pair, role, wake)

    patch.setattr(LocalSwitchboard, "heard", hears)


def _closes_the_old_one_at_once(patch: pytest.MonkeyPatch) -> None:
    heard = LocalSwitchboard.heard

    def hears(board: LocalSwitchboard, pair: PairId, role: Role, wake: Any) -> None:
        if isinstance(wake, Superseded) and (pair, role) in board._slots:
            switchboard._end_places(board._slots[pair, role], wake)
        heard(board, pair, role, wake)

    patch.setattr(LocalSwitchboard, "heard", hears)


def _frees_the_slot_whoever_leaves(patch: pytest.MonkeyPatch) -> None:
    leave = Pairs.leave

    async def leaves(pairs: Pairs, pair: PairId, role: Role, sid: str) -> bool:
        del sid
        return await leave(pairs, pair, role, pairs._state.slot(pair, role).sid)

    patch.setattr(Pairs, "leave", leaves)


def _forgets_the_channel_of_those_who_stay(patch: pytest.MonkeyPatch) -> None:
    unseat = LocalSwitchboard.unseat

    def unseats(board: LocalSwitchboard, session: Any) -> None:
        unseat(board, session)
        if session.end is not None:
            board._channels.forget(session.end.pair, session.end.role)

    patch.setattr(LocalSwitchboard, "unseat", unseats)


def _drops_the_end_of_others(patch: pytest.MonkeyPatch) -> None:
    wait = LocalSwitchboard._wait

    def waits(board: LocalSwitchboard, slot: Any, wake: Any) -> None:
        if not isinstance(wake, Superseded):
            wait(board, slot, wake)

    patch.setattr(LocalSwitchboard, "_wait", waits)


@pytest.mark.parametrize(
    ("worsen", "scenario", "how", "found"),
    [
        (_tells_at_once, both_enter, {"phone": "here", "agent": "there"}, "before it knew"),
        (_hears_for_every_number, phone_is_replaced, {"node": "here"}, "not for it"),
        (_closes_the_old_one_at_once, phone_is_replaced, {"node": "here"}, "before its successor knew"),
        (_frees_the_slot_whoever_leaves, phone_is_replaced, {"node": "there"}, "live places"),
        (_drops_the_end_of_others, newcomer_leaves_at_once, {"node": "here"}, "live places"),
        (_forgets_the_channel_of_those_who_stay, phone_is_replaced, {"node": "here"}, "lost"),
    ],
    ids=_words,
)
async def test_control_worse_code_is_found_out(monkeypatch, worsen, scenario, how, found):
    worsen(monkeypatch)
    with pytest.raises(AssertionError, match=found) as failure:
        await explore(partial(scenario, **how), cuts_most=2)
    assert "Stepper([" in failure.value.__notes__[0]
