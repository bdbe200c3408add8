"""Becoming the current connection of a slot: two nodes on one store in memory (CORAL-6 to CORAL-15, CORAL-24 to CORAL-27)."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from exchange.core.errors import PairingUnusable, PairUnknown, RoleUnknown, StorageUnavailable
from exchange.core.pairs import PairId, Role
from exchange.core.session import State
from exchange.front import Ending
from tests.harness.joints import OFFLINE, ONLINE, TOKEN, Joint
from tests.harness.waiting import eventually

PHONE, AGENT = Role.PHONE, Role.AGENT
OK = {"type": "auth.ok", "paired": True, "used": 0}
FIRST = {"type": "auth.ok", "paired": False, "used": 0}


@pytest.fixture
async def here(memory) -> Joint:
    return await Joint(memory, "here").start()


@pytest.fixture
async def there(memory) -> Joint:
    return await Joint(memory, "there").start()


@pytest.fixture
async def pair(here) -> PairId:
    return await here.pair()


def auth(role: str = "phone", token: object = TOKEN) -> bytes:
    return json.dumps({"type": "auth", "token": token, "role": role}).encode()


def frame(text: str) -> dict[str, str]:
    return {"type": "chat.send", "text": text}


def notes(place: Joint) -> list[tuple[str, str, str]]:
    """What a worker would find if all nodes died now."""
    return [(one.sid, one.uid, one.role) for many in place.memory.noted.values() for one in many.values()]


# --- entering --------------------------------------------------------------------------------------------------------


async def test_the_first_of_two_is_told_that_the_second_came(here, there, pair):
    phone = await here.attend(PHONE)
    agent = await there.attend(AGENT)
    await eventually(lambda: len(phone.heard) == 2)
    assert phone.heard == [FIRST, ONLINE]
    assert agent.heard == [OK]
    session = agent.connection.session
    assert (session.state, session.end.pair, session.end.role) == (State.IDENTIFIED, pair, AGENT)
    assert agent.rules is not None, "from now on it may say more"


async def test_what_the_peer_sends_to_a_newcomer_comes_after_its_reply(here, there, pair, monkeypatch):
    agent = await there.attend(AGENT)
    enter = here.store.pairs.enter

    async def slowly(*what):
        entered = await enter(*what)
        # The peer hears of the newcomer and says something before the newcomer's own node knows.
        await eventually(lambda: ONLINE in agent.heard)
        agent.say(type_="chat.send", text="hello")
        await eventually(lambda: here.switchboard._slots[pair, PHONE].waiting)
        return entered

    monkeypatch.setattr(here.store.pairs, "enter", slowly)
    phone = await here.attend(PHONE)
    await eventually(lambda: len(phone.heard) == 2)
    assert phone.heard == [OK, frame("hello")]


async def test_every_newcomer_is_announced_and_a_replaced_one_is_not_seen_off(here, there, pair):
    phone = await here.attend(PHONE)
    agents = [await place.attend(AGENT) for place in (here, there, here, here)]
    assert [await agent.ended() for agent in agents[:-1]] == [Ending.REPLACED] * 3
    assert all(agent.discarded for agent in agents[:-1]), "what was made for its keys is not sent"
    assert await here.exchange.settled(10) == await there.exchange.settled(10) == 0
    agents[-1].leave()
    await eventually(lambda: OFFLINE in phone.heard)
    assert phone.heard == [FIRST, *[ONLINE] * 4, OFFLINE]


@pytest.mark.parametrize("old", ["here", "there"])
async def test_the_newcomer_is_told_that_it_entered_before_the_old_one_is_closed(here, there, pair, old):
    order = []
    first = await {"here": here, "there": there}[old].attend(PHONE)
    close, second = first.close, here.dial()
    first.close = lambda *what, **how: (order.append("closed"), close(*what, **how))
    send = second.send
    second.send = lambda message: (order.append(json.loads(message)["type"]), send(message))
    second.packet(auth())
    await first.ended()
    await eventually(lambda: "auth.ok" in order)
    if old == "here":
        assert order[0] == "auth.ok"
    assert set(order) == {"auth.ok", "closed"}
    assert second.closed is None


async def test_frames_behind_the_first_one_in_the_same_packet_are_worked_off_in_order(here, there, pair):
    agent = await there.attend(AGENT)
    phone = here.dial()
    frames = [json.dumps(frame(str(number))).encode() for number in range(3)]
    phone.packet(auth(), frames[0], b'{"type": "ping"}', *frames[1:])
    await eventually(lambda: len(agent.heard) == 5)
    assert agent.heard[1:] == [ONLINE, *(frame(str(number)) for number in range(3))]
    assert phone.types == ["auth.ok", "pong"]


async def test_while_a_strangers_first_message_is_under_way_nothing_more_is_read(here, pair):
    phone = here.dial()
    phone.packet(auth(), b'{"type": "ping"}')
    assert phone.paused
    assert len(phone.arriving) == 1
    await phone.hears("pong")
    assert not phone.paused


async def test_a_second_auth_is_ignored(here, pair):
    phone = await here.attend(PHONE)
    end = phone.connection.session.end
    phone.packet(auth("agent"), auth(token="another"), auth(token=None))
    assert (await phone.ask("ping"))["type"] == "pong"
    assert phone.types == ["auth.ok", "pong"]
    assert phone.connection.session.end == end
    assert await here.store.pairs.connected(pair) == {PHONE}


async def test_an_end_is_noted_for_a_worker_as_long_as_it_is_there(here, pair):
    phone = await here.attend(PHONE)
    assert notes(here) == [(phone.connection.session.sid, pair, "phone")]
    await here.forgets(phone)
    assert notes(here) == []
    assert await here.store.pairs.connected(pair) == frozenset()


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (auth(token=None), PairingUnusable),
        (auth(token="oc_pair_unknown"), PairUnknown),
        (auth("watch", token="oc_pair_unknown"), PairUnknown),
        (auth("watch"), RoleUnknown),
        (auth("Phone"), RoleUnknown),
        (auth(""), RoleUnknown),
    ],
)
async def test_what_proves_nothing_is_told_so_and_closed_and_nothing_behind_it_is_answered(here, pair, first, error):
    phone = here.dial()
    phone.packet(first, auth(), b'{"type": "ping"}')
    assert await phone.ended() is Ending.REFUSED
    assert await here.exchange.settled(10) == 0
    assert phone.heard == [{"type": "refused", "why": error.__name__}]
    assert await here.store.pairs.connected(pair) == frozenset()
    assert notes(here) == []


@pytest.mark.parametrize("first", [b"no json", b'{"type": "ping"}', b'{"type": "pong"}', b'{"type": "chat.send"}'])
async def test_whoever_begins_with_something_else_is_refused_and_closed(here, pair, first):
    phone = here.dial()
    phone.packet(first, auth())
    assert await phone.ended() is Ending.REFUSED
    assert phone.types == ["refused"]
    assert await here.store.pairs.connected(pair) == frozenset()


async def test_a_token_that_is_deleted_during_the_entering_is_unknown(here, pair, monkeypatch):
    exists = here.store.pairs.exists

    async def existed(one):
        known = await exists(one)
        await here.store.pairs.delete(one)
        return known

    monkeypatch.setattr(here.store.pairs, "exists", existed)
    phone = here.dial()
    phone.packet(auth())
    assert await phone.ended() is Ending.REFUSED
    assert phone.heard == [{"type": "refused", "why": "PairUnknown"}]
    assert await here.exchange.settled(10) == 0
    assert notes(here) == []


async def test_a_deleted_token_closes_both_ends_and_lets_nobody_in(here, there, pair):
    phone, agent = await here.attend(PHONE), await there.attend(AGENT)
    await here.store.pairs.delete(pair)
    assert await phone.ended() is await agent.ended() is Ending.REVOKED
    again = here.dial()
    again.packet(auth())
    assert await again.ended() is Ending.REFUSED
    assert OFFLINE not in phone.heard + agent.heard


# --- failures --------------------------------------------------------------------------------------------------------


async def test_without_the_store_nothing_is_said_and_the_connection_closed(here, pair):
    here.memory.down = True
    phone = here.dial()
    phone.packet(auth(), auth())
    assert await phone.ended() is Ending.STORE
    assert phone.heard == []
    assert isinstance(here.refused[-1], StorageUnavailable)
    here.memory.down = False


@pytest.mark.parametrize("fails", ["listen", "enter", "enter after all"])
async def test_what_a_failure_leaves_is_undone(here, there, pair, fails, monkeypatch):
    agent = await there.attend(AGENT)
    port, name = (here.store.slots, "listen") if fails == "listen" else (here.store.pairs, "enter")
    original = getattr(port, name)

    async def broken(*what):
        if fails != "enter":
            await original(*what)
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(port, name, broken)
        phone = here.dial()
        session, sid = phone.connection.session, phone.connection.session.sid
        phone.packet(auth())
        assert await phone.ended() is Ending.STORE
    assert await here.exchange.settled(10) == 0
    assert phone.heard == []
    assert session.end is None
    assert session.sid != sid, "what is undone late must not touch whoever tries again"
    assert await here.store.pairs.connected(pair) == {AGENT}
    assert [role for _, _, role in notes(here)] == ["agent"]
    assert (pair, PHONE) not in here.memory.slot_listeners
    assert len(here.switchboard) == 0
    if fails == "enter after all":
        await eventually(lambda: OFFLINE in agent.heard)
        assert agent.heard == [FIRST, ONLINE, OFFLINE]
    assert (await here.attend(PHONE)).heard == [OK]


async def test_a_failure_does_not_touch_whoever_is_there(here, there, pair, monkeypatch):
    agent, phone = await there.attend(AGENT), await here.attend(PHONE)

    async def broken(*_what):
        raise StorageUnavailable(sent=False)

    with monkeypatch.context() as patch:
        patch.setattr(here.store.pairs, "enter", broken)
        second = here.dial()
        second.packet(auth())
        assert await second.ended() is Ending.STORE
    assert await here.exchange.settled(10) == 0
    phone.say("chat.send", text="still here")
    await eventually(lambda: frame("still here") in agent.heard)
    assert phone.closed is None
    assert agent.heard == [FIRST, ONLINE, frame("still here")]


async def test_a_client_that_leaves_while_it_enters_leaves_nothing_behind(here, there, pair):
    agent = await there.attend(AGENT)
    phone = here.dial()
    phone.packet(auth())
    phone.leave()
    assert await here.exchange.settled(10) == 0
    await eventually(lambda: agent.heard[1:] in ([], [ONLINE, OFFLINE]))
    assert phone.connection.session.end is None
    assert await here.store.pairs.connected(pair) == {AGENT}
    assert [role for _, _, role in notes(here)] == ["agent"]
    assert (pair, PHONE) not in here.memory.slot_listeners
    assert len(here.switchboard) == 0


async def test_an_end_that_is_let_go_while_it_enters_leaves_nothing_behind(here, pair):
    phone = here.dial()
    phone.packet(auth())
    await phone.connection.leave()  # as a drain does: the socket still stands
    assert phone.heard == [FIRST]
    assert await here.store.pairs.connected(pair) == frozenset()
    assert notes(here) == []
    assert (pair, PHONE) not in here.memory.slot_listeners
    assert len(here.switchboard) == 0


async def test_a_deadline_that_runs_out_undoes_the_entering(memory, pair, monkeypatch):
    place = await Joint(memory, "hurried").start()
    enter = place.store.pairs.enter

    async def endless(*what):
        await enter(*what)
        await asyncio.Event().wait()

    monkeypatch.setattr(place.store.pairs, "enter", endless)
    monkeypatch.setattr(place.exchange, "policy", place.exchange.policy.__class__(reply_seconds=0.05))
    phone = place.dial()
    phone.packet(auth())
    assert await phone.ended() is Ending.STORE
    assert await place.exchange.settled(10) == 0
    assert await place.store.pairs.connected(pair) == frozenset()
    assert notes(place) == []


# --- a contested slot ------------------------------------------------------------------------------------------------


async def test_more_than_six_replacements_a_minute_are_logged(here, there, pair):
    with capture_logs() as logs:
        for number in range(9):
            await (here, there)[number % 2].attend(AGENT)
    contested = [line for line in logs if line["event"] == "slot.contested"]
    assert [line["replaced"] for line in contested] == [7, 8]
    assert {line["log_level"] for line in contested} == {"warning"}
    assert not any(TOKEN in str(line) or pair in str(line) for line in logs)
