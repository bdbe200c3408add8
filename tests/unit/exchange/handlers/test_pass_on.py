"""Frames from one end of a pair to the other: two nodes on one store in memory (CORAL-16 to CORAL-23, DEL-40)."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from exchange.core.errors import (
    DailyQuotaExceeded,
    MonthlyQuotaExceeded,
    PeerAbsent,
    PeerBusy,
    RateExceeded,
    RoleForbidden,
    StorageUnavailable,
    Unavailable,
)
from exchange.core.pairs import Passing, Role
from exchange.front import Ending
from exchange.node import switchboard
from exchange.node.switchboard import LARGE_BYTES
from tests.harness.joints import Joint, Line, text
from tests.harness.waiting import eventually

PHONE, AGENT = Role.PHONE, Role.AGENT


@pytest.fixture
async def here(memory) -> Joint:
    return await Joint(memory, "here").start()


@pytest.fixture
async def there(memory) -> Joint:
    return await Joint(memory, "there").start()


@pytest.fixture
async def phone(here) -> Line:
    await here.pair()
    return await here.attend(PHONE)


@pytest.fixture
async def agent(there, phone) -> Line:
    return await there.attend(AGENT)


def said(number: object, size: int = 0) -> dict[str, Any]:
    return {"type": "chat.send", "number": number, "pad": "x" * size}


def large(number: object) -> dict[str, Any]:
    return said(number, LARGE_BYTES)


def send(line: Line, *frames: dict[str, Any]) -> None:
    line.packet(*(json.dumps(frame).encode() for frame in frames))


def numbers(line: Line) -> list[object]:
    return [frame["number"] for frame in line.heard if frame["type"] == "chat.send"]


def decide(place: Joint, monkeypatch: pytest.MonkeyPatch, outcome: Passing | StorageUnavailable) -> None:
    """Let the store say this of every frame."""

    def pass_on(_end: object, _frame: bytes, receipt: Any, **_: object) -> None:
        asyncio.get_running_loop().call_soon(receipt, outcome)

    monkeypatch.setattr(place.store.slots, "pass_on", pass_on)


# --- frames ----------------------------------------------------------------------------------------------------------


async def test_frames_arrive_in_order_and_unchanged_and_nothing_is_answered(here, there, phone, agent):
    odd = b'{ "number":0, "type" :"chat.send","z":1e3, "a":"\\u00e9"}'
    given = []
    agent.send = given.append
    phone.packet(odd, *(json.dumps(said(number)).encode() for number in range(1, 6)))
    await eventually(lambda: len(given) == 6)
    assert given[0] == odd
    assert [json.loads(one)["number"] for one in given] == list(range(6))
    assert phone.types == ["auth.ok", "status"]
    assert here.counts.passed == there.counts.wakes_passed_on == 6
    assert here.counts.passed_bytes == sum(map(len, given))
    assert not phone.connection.busy


async def test_frames_go_both_ways(phone, agent):
    send(phone, said("ask"))
    send(agent, said("answer"))
    await eventually(lambda: numbers(agent) == ["ask"] and numbers(phone) == ["answer"])


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Passing.RATE, RateExceeded),
        (Passing.DAY, DailyQuotaExceeded),
        (Passing.MONTH, MonthlyQuotaExceeded),
        (Passing.OFFLINE, PeerAbsent),
        (Passing.BUSY, PeerBusy),
    ],
)
@pytest.mark.parametrize("size", [0, LARGE_BYTES])
async def test_a_frame_that_may_not_pass_is_refused_and_the_conversation_goes_on(
    here, phone, monkeypatch, outcome, error, size
):
    decide(here, monkeypatch, outcome)
    for _ in range(2):
        send(phone, said(1, size))
    await eventually(lambda: phone.types.count("refused") == 2)
    assert phone.heard[-1] == {"type": "refused", "why": error.__name__}
    assert [type(one) for one in here.refused] == [error] * 2
    assert (await phone.ask("ping"))["type"] == "pong"
    assert here.counts.passed == 0


async def test_a_frame_of_a_replaced_connection_is_dropped_without_a_word(here, phone, monkeypatch):
    decide(here, monkeypatch, Passing.OLD)
    assert (await _after(phone, said(1)))["type"] == "pong"
    assert here.refused == []
    assert here.counts.passed == 0


async def test_without_the_peer_a_frame_is_refused_and_not_kept(there, phone):
    send(phone, said("early"))
    assert (await phone.hears("refused"))["why"] == "PeerAbsent"
    agent = await there.attend(AGENT)
    send(phone, said("late"))
    await eventually(lambda: numbers(agent))
    assert numbers(agent) == ["late"]


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("size", [0, LARGE_BYTES])
async def test_without_the_store_the_connection_ends_without_a_word(here, phone, monkeypatch, sent, size):
    decide(here, monkeypatch, StorageUnavailable(sent=sent))
    send(phone, said(1, size), said(2), {"type": "ping"})
    assert await phone.ended() is Ending.STORE
    assert phone.types == ["auth.ok"]


async def test_what_only_one_side_sends_is_refused_to_the_other(here, phone, agent):
    send(phone, {"type": "chat.stream"})
    assert (await phone.hears("refused"))["why"] == RoleForbidden.__name__
    assert here.counts.passed == 0
    send(agent, {"type": "chat.stream"})
    assert await phone.hears("chat.stream")


async def test_refusals_and_replies_keep_the_order_of_the_frames(phone, agent):
    send(phone, said(1), {"type": "ping"}, {"type": "chat.stream"}, said(2), {"type": "pong"}, {"type": "ping"})
    await eventually(lambda: phone.types.count("pong") == 2 and numbers(agent) == [1, 2])
    assert phone.types == ["auth.ok", "status", "pong", "refused", "pong"]


async def test_an_end_whose_place_is_gone_cannot_pass_anything_on(here, phone):
    here.switchboard.unseat(phone.connection.session)
    send(phone, said(1))
    assert await phone.ended() is Ending.STORE
    assert [type(one) for one in here.refused] == [Unavailable]


# --- large frames ----------------------------------------------------------------------------------------------------


class Held:
    """Keeps back that frames were handed over."""

    def __init__(self, place: Joint, monkeypatch: pytest.MonkeyPatch) -> None:
        self.back: list[tuple[Any, ...]] = []
        self.hand_over = place.store.slots.hand_over
        monkeypatch.setattr(place.store.slots, "hand_over", lambda *what: self.back.append(what))

    def let_go(self) -> None:
        self.hand_over(*self.back.pop(0))


async def test_large_frames_go_one_at_a_time_and_in_order_with_all_others(there, phone, agent, monkeypatch):
    held = Held(there, monkeypatch)
    send(phone, said(1), large(2), said(3), large(4), said(5), large(6))
    await eventually(lambda: numbers(agent) == [1, 2, 3])
    assert len(held.back) == 1
    held.let_go()
    await eventually(lambda: numbers(agent) == [1, 2, 3, 4, 5])
    held.let_go()
    await eventually(lambda: numbers(agent) == [1, 2, 3, 4, 5, 6])
    assert phone.types == ["auth.ok", "status"]


async def test_the_other_direction_does_not_wait_behind_a_large_frame(there, phone, agent, monkeypatch):
    held = Held(there, monkeypatch)
    send(phone, large(1), large(2))
    await eventually(lambda: held.back)
    send(agent, large(3), said(4))
    await eventually(lambda: numbers(phone) == [3, 4])
    assert numbers(agent) == [1]


async def test_a_large_frame_that_waits_goes_to_the_new_peer_when_the_peer_changes(there, phone, agent, monkeypatch):
    held = Held(there, monkeypatch)
    send(phone, large(1), large(2))
    await eventually(lambda: held.back)
    new = await there.attend(AGENT)
    await eventually(lambda: numbers(new) == [2])
    assert numbers(agent) == [1]


async def test_a_large_frame_that_waits_is_refused_when_the_peer_goes(there, phone, agent, monkeypatch):
    held = Held(there, monkeypatch)
    send(phone, large(1), large(2), said(3))
    await eventually(lambda: held.back)
    agent.leave()
    await eventually(lambda: phone.types.count("refused") == 2)
    assert {frame["why"] for frame in phone.heard if frame["type"] == "refused"} == {"PeerAbsent"}


async def test_behind_a_large_frame_that_does_not_arrive_the_peer_is_busy(there, phone, agent, monkeypatch):
    monkeypatch.setattr(switchboard, "HANDED_SECONDS", 0.01)
    held = Held(there, monkeypatch)
    send(phone, large(1), large(2), said(3))
    assert (await phone.hears("refused"))["why"] == "PeerBusy"
    await eventually(lambda: numbers(agent) == [1, 3])
    held.let_go()
    await eventually(lambda: not phone.connection.busy)
    send(phone, large(4))
    await eventually(lambda: numbers(agent) == [1, 3, 4])


async def test_whoever_leaves_while_a_large_frame_waits_is_gone_at_once(here, there, phone, agent, monkeypatch):
    monkeypatch.setattr(switchboard, "HANDED_SECONDS", 3600.0)
    monkeypatch.setattr(here.exchange, "policy", replace(here.exchange.policy, reply_seconds=3600.0))
    held = Held(there, monkeypatch)
    send(phone, large(1), large(2))
    await eventually(lambda: held.back)
    left = phone.connection.leave()
    assert len(here.switchboard) == 0
    await asyncio.wait_for(left, 10)
    await eventually(lambda: agent.types[-1] == "status")
    assert numbers(agent) == [1]


# --- what is not passed on -------------------------------------------------------------------------------------------


async def test_a_ping_is_answered_and_something_to_ignore_is_not(here, phone):
    send(phone, {"type": "pong"}, {"type": "ping"})
    assert phone.types == ["auth.ok", "pong"]
    assert not phone.connection.busy
    assert here.counts.passed == 0


async def _after(line: Line, *frames: dict[str, Any]) -> dict[str, Any]:
    """Send frames and then a ping, and return what is answered first."""
    count = len(line.heard)
    line.packet(*(json.dumps(frame).encode() for frame in frames), text("ping"))
    await eventually(lambda: len(line.heard) > count)
    return line.heard[count]
