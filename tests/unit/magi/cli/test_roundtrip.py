"""The round trip of ``magi doctor``, between two real clients."""

import pytest

from magi.cli import roundtrip
from magi.cli.roundtrip import round_trip
from magi.cli.statuses import Status
from magi.client.errors import NameTaken
from magi.daemon.local import opened
from magi.testing import ScriptedExchange
from tests.harness.offices import OWNER, profile
from tests.harness.waiting import eventually


@pytest.fixture
async def office(tmp_path, monkeypatch):
    """Alice's desk, and the exchange that it is connected to."""
    async with ScriptedExchange() as exchange:
        await exchange.pair("alice", "bob")
        monkeypatch.setattr(roundtrip, "new_id", lambda: "1")
        exchange.serve("doctor-1@magi.invalid")
        async with opened(profile(tmp_path, "alice", exchange.address), daemon=False) as office:

            async def connected():
                return (await office.status()).connection == "connected"

            await eventually(connected)
            yield office, exchange


async def test_a_question_comes_back_answered_and_nothing_is_left(office):
    desk, exchange = office
    before = await desk.friends()
    finding = await round_trip(desk, OWNER, exchange.address)
    assert (finding.link, finding.broken, finding.tested) == ("round_trip", False, True)
    assert await desk.friends() == before
    assert (await desk.status()).waiting.questions == ()
    assert finding.facts == {}


async def test_an_exchange_that_lets_no_stranger_in_is_not_tested(office, monkeypatch):
    async def refused(*_, **__):
        raise NameTaken

    desk, exchange = office
    monkeypatch.setattr(roundtrip.Client, "open", refused)
    finding = await round_trip(desk, OWNER, exchange.address)
    assert (finding.broken, finding.tested) == (False, False)


async def test_while_paused_nothing_leaves_for_an_assistant(office):
    desk, exchange = office
    await desk.pause(-1)
    finding = await round_trip(desk, roundtrip.Caller("script", "model", "s1"), exchange.address)
    assert (finding.broken, finding.tested) == (False, False)
    assert "magi pause --off" in finding.said
    assert (await desk.held()) == ()


async def test_silence_in_the_middle_ends_it_and_nothing_is_left(office, monkeypatch):
    desk, exchange = office
    before = await desk.friends()
    monkeypatch.setattr(roundtrip, "STEP_SECONDS", 0.3)
    monkeypatch.setattr(roundtrip.Client, "questions", never)
    finding = await round_trip(desk, OWNER, exchange.address)
    assert finding.status == Status.AWAY
    assert "silent" in finding.said
    assert await desk.friends() == before


async def never(_):
    """No question ever comes."""
    await roundtrip.asyncio.Event().wait()
    yield
