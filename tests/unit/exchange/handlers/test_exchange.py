"""The one entrance: every command has one outcome, and what is left to do gets done."""

import asyncio

import pytest

from exchange.core.commands import CreateInvite, Identified, Identify, InviteCreated
from exchange.core.errors import ExchangeError, NotIdentified, StorageUnavailable, Unavailable
from exchange.core.pairs import Role
from exchange.core.session import Session, State
from exchange.handlers import exchange as module
from exchange.handlers.exchange import HANDLERS, Policy
from exchange.storage.memory.state import Memory
from tests.harness.joints import TOKEN, Joint
from tests.harness.waiting import eventually
from tests.harness.world import Place, Time


class Settle:
    def __init__(self) -> None:
        self.outcomes: list[object] = []
        self.proceeded = 0

    def settle(self, outcome: object) -> None:
        self.outcomes.append(outcome)

    def proceed(self) -> None:
        assert self.outcomes, "the reply goes first"
        self.proceeded += 1

    def hold(self) -> bool:
        return True

    async def outcome(self) -> object:
        await eventually(lambda: self.proceeded)
        assert self.proceeded == len(self.outcomes) == 1
        return self.outcomes[0]


@pytest.fixture
async def place() -> Place:
    return await Place(Memory(Time()), policy=Policy(reply_seconds=0.05, store_up_seconds=0)).start()


@pytest.fixture
async def session(place) -> Session:
    return (await place.identified("ann")).connection.session


def handled_by(monkeypatch, handler) -> None:
    monkeypatch.setitem(HANDLERS, CreateInvite, handler)


async def test_a_command_has_one_outcome_and_then_the_next_may_follow(place, session):
    settle = Settle()
    assert place.exchange.handle(session, CreateInvite(), settle) is False
    assert isinstance(await settle.outcome(), InviteCreated)
    assert place.witness.outcomes[-1] == ("CreateInvite", None)


async def test_what_the_state_does_not_allow_is_refused_at_once(place):
    settle = Settle()
    with pytest.raises(NotIdentified):
        place.exchange.handle(place.connect().connection.session, CreateInvite(), settle)
    assert settle.outcomes == []


async def test_a_mistake_of_ours_is_a_transient_refusal(place, session, monkeypatch):
    async def broken(_exchange, _session, _command):
        raise ZeroDivisionError

    handled_by(monkeypatch, broken)
    settle = Settle()
    place.exchange.handle(session, CreateInvite(), settle)
    outcome = await settle.outcome()
    assert type(outcome) is Unavailable
    assert place.witness.outcomes[-1] == ("CreateInvite", outcome)


async def test_a_command_that_takes_too_long_is_a_transient_refusal(place, session, monkeypatch):
    async def endless(_exchange, _session, _command):
        await asyncio.Event().wait()

    handled_by(monkeypatch, endless)
    settle = Settle()
    place.exchange.handle(session, CreateInvite(), settle)
    assert type(await settle.outcome()) is Unavailable


async def test_without_a_lease_nothing_is_done(place, session):
    place.tenure.holds = place.tenure.renewable = False
    settle = Settle()
    place.exchange.handle(session, CreateInvite(), settle)
    assert type(await settle.outcome()) is Unavailable
    assert place.witness.invites == []


async def test_what_is_left_to_do_is_done_after_the_reply_and_before_the_next_command(place, session, monkeypatch):
    order: list[str] = []
    settle = Settle()

    async def handler(_exchange, session, _command):
        async def first() -> None:
            order.append(f"first after {len(settle.outcomes)} reply")
            raise StorageUnavailable

        async def second() -> None:
            order.append(f"second before {settle.proceeded} next")

        session.after += [first, second]
        return InviteCreated("", "", 0, 0)

    handled_by(monkeypatch, handler)
    place.exchange.handle(session, CreateInvite(), settle)
    await settle.outcome()
    assert order == ["first after 1 reply", "second before 0 next"]


async def test_what_is_left_to_do_does_not_hold_up_the_next_command_for_ever(session):
    policy = Policy(reply_seconds=1.0, finish_seconds=0.01, store_up_seconds=0)
    place = await Place(Memory(Time()), policy=policy).start()
    over, done = asyncio.Event(), asyncio.Event()

    async def outage() -> None:
        await over.wait()
        done.set()

    session.after.append(outage)
    settle = Settle()
    place.exchange.handle(session, Identify(name="ann"), settle)
    assert isinstance(await settle.outcome(), ExchangeError | Identified)
    assert not done.is_set()
    over.set()
    await asyncio.wait_for(done.wait(), 5)


async def test_a_session_that_leaves_is_deaf_at_once_and_its_name_waits(place, session):
    uid = session.identified().uid
    done = place.exchange.leave(session)
    assert session.state is State.ENDED
    assert not place.hub.holds(uid)
    await done
    assert await place.store.names.find("ann", "magi") is None


async def test_a_session_that_leaves_during_a_command_ends_after_it(place):
    session = place.connect().connection.session
    settle = Settle()
    place.exchange.handle(session, Identify(name="bob", nick="Bob"), settle)
    await place.exchange.leave(session)
    assert len(settle.outcomes) == 1
    assert len(place.hub) == 0
    assert await place.store.names.find("bob", "magi") is None


async def test_a_step_that_must_not_be_left_undone_is_repeated_until_the_store_took_it(place, monkeypatch):
    monkeypatch.setattr(module, "INSIST_SECONDS", (0.0, 0.0))
    tries: list[int] = []

    async def step() -> None:
        tries.append(1)
        if len(tries) < 5:
            raise StorageUnavailable

    await place.exchange.insist(step, "step")
    assert len(tries) == 5


async def test_another_refusal_ends_the_repeating(place):
    async def step() -> None:
        raise ExchangeError

    with pytest.raises(ExchangeError):
        await place.exchange.insist(step, "step")


async def test_a_step_that_is_seen_to_goes_on_when_its_caller_is_cancelled(place):
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def step() -> None:
        begun.set()
        await go_on.wait()
        done.set()

    caller = asyncio.create_task(place.exchange.see_to(step, "step"))
    await begun.wait()
    caller.cancel()
    await asyncio.wait({caller})
    assert caller.cancelled()
    go_on.set()
    assert await place.exchange.settled(10) == 0
    assert done.is_set()


async def test_settling_counts_what_does_not_end_in_time(place):
    task = place.exchange.spawn(asyncio.Event().wait())
    assert await place.exchange.settled(0.01) == 1
    task.cancel()
    assert await place.exchange.settled(10) == 0


async def test_settling_waits_for_what_begins_meanwhile_and_starts_nothing_that_was_for_later(place):
    done: list[str] = []

    async def second() -> None:
        await asyncio.sleep(0)
        done.append("second")

    async def first() -> None:
        await asyncio.sleep(0)
        place.exchange.spawn(second())

    place.exchange.later(0.01, second)
    place.exchange.spawn(first())
    assert await place.exchange.settled(10) == 0
    assert done == ["second"]


async def test_what_is_for_later_is_done_later(place):
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    place.exchange.later(0.0, work)
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), 10)


async def test_minted_ids_differ_between_messages_and_nodes(place):
    other = Place(place.memory, "other")
    assert len({place.exchange.mint(), place.exchange.mint(), other.exchange.mint()}) == 3


# --- ends of pairs ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def joint() -> Joint:
    joint = await Joint(Memory(Time())).start()
    await joint.pair()
    return joint


async def test_an_end_that_leaves_is_deaf_at_once_and_its_slot_is_free_soon(joint):
    session = (await joint.attend(Role.PHONE)).connection.session
    done = joint.exchange.leave(session)
    assert session.state is State.ENDED
    assert len(joint.switchboard) == 0
    await done
    assert await joint.store.pairs.connected(session.end.pair) == frozenset()
    assert joint.memory.noted["node1"] == {}
    assert joint.memory.slot_listeners == {}


async def test_an_end_that_was_replaced_leaves_without_touching_its_successor(joint):
    old, new = await joint.attend(Role.PHONE), await joint.attend(Role.PHONE)
    await old.ended()
    assert await joint.exchange.settled(10) == 0
    pair = new.connection.session.end.pair
    assert await joint.store.pairs.connected(pair) == {Role.PHONE}
    assert list(joint.memory.noted["node1"]) == [new.connection.session.sid]
    assert (pair, Role.PHONE) in joint.memory.slot_listeners


async def test_a_farewell_that_the_store_does_not_take_is_said_again(joint, monkeypatch):
    monkeypatch.setattr(module, "INSIST_SECONDS", (0.0,))
    line = await joint.attend(Role.PHONE)
    joint.memory.down = True
    line.leave()
    await asyncio.sleep(0)
    joint.memory.down = False
    assert await joint.exchange.settled(10) == 0
    assert await joint.store.pairs.connected(line.connection.session.end.pair) == frozenset()


async def test_the_store_is_told_of_an_end_under_its_pair_and_role_and_without_a_name(joint):
    session = (await joint.attend(Role.AGENT)).connection.session
    presence = joint.exchange.presence(session)
    assert (presence.uid, presence.role, presence.name) == (joint.store.pairs.pair_of(TOKEN), "agent", "")
    assert (presence.sid, presence.node, presence.dialect) == (session.sid, "node1", "coralmux")
    user = (await joint.identified("ann")).connection.session
    assert joint.exchange.presence(user).role == ""
