"""Twin of ``magi/testing/exchange.py``: a script, on a real socket."""

import asyncio

import pytest
from msgspec import Raw

from magi.client.errors import NotConnected, OutcomeUnknown, Refused
from magi.client.line import Ended, Identity, Line
from magi.client.model import Tokens
from magi.testing import ScriptedExchange
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from tests.harness.waiting import WAIT_SECONDS, eventually

TEA = Raw(b'"Tea?"')


async def come(exchange: ScriptedExchange, username: str, token: str = "") -> tuple[Line, list]:
    """Return the line of a user, and what is pushed on it."""
    pushed: list[f.Frame] = []
    identity = Identity(username, username.title())
    return await Line.open(exchange.address, identity, Tokens(token), on_push=pushed.append), pushed


def ask(id_: str = "m1") -> r.Ask:
    return r.Ask(content=TEA, to="bob", id=id_)


# --- the script ------------------------------------------------------------------------------------------------------


async def test_a_request_waits_for_the_script_which_replies_under_its_id():
    async with ScriptedExchange() as exchange:
        line, _ = await come(exchange, "ada")
        request = asyncio.create_task(line.request(r.CreateInvite(id="i1")))
        heard = await exchange.expect(r.CreateInvite, "ada")
        assert (heard.username, heard.request.id) == ("ada", "i1")
        await exchange.reply(heard, f.InviteCreated(code="ABC123", from_="Ada", expiresIn="30 minutes"))
        assert (await request).code == "ABC123"
        await line.close()


async def test_a_plain_exchange_replies_without_ids_and_codes():
    async with ScriptedExchange(features=()) as exchange:
        line, _ = await come(exchange, "ada")
        request = asyncio.create_task(line.request(ask()))
        await exchange.refuse(await exchange.expect(r.Ask), "No active connection", "no_friends")
        with pytest.raises(Refused) as caught:
            await request
        assert caught.value.code == ""
        await line.close()


async def test_what_was_expected_in_vain_is_named_with_what_came_instead():
    async with ScriptedExchange() as exchange:
        line, _ = await come(exchange, "ada")
        line.send(r.Friends(id="1"))
        await eventually(lambda: len(exchange.heard) == 2)
        with pytest.raises(AssertionError, match=r"no Ask bob within 0\.05 s; waiting for the script: Friends"):
            await exchange.expect(r.Ask, "bob", seconds=0.05)
        await line.close()


async def test_the_script_can_identify_a_user_itself():
    async with ScriptedExchange(identifies=False) as exchange:
        opening = asyncio.create_task(come(exchange, "ada"))
        heard = await exchange.expect(r.Identify, "ada")
        await exchange.reply(heard, f.Identified("ada", "Ada", "c1", ["ids"], token="t1"))
        line, pushed = await opening
        assert (line.granted, line.token) == (frozenset({"ids"}), "t1")
        await exchange.push("ada", f.Gap(5))
        await eventually(lambda: pushed == [f.Gap(5)])
        await line.close()


async def test_upgrades_can_be_turned_away_and_let_in_again():
    async with ScriptedExchange() as exchange:
        exchange.turn_away(429, "3")
        with pytest.raises(NotConnected) as caught:
            await come(exchange, "ada")
        assert (caught.value.status, caught.value.retry_after_seconds) == (429, 3.0)
        exchange.turn_away(0)
        line, _ = await come(exchange, "ada")
        await exchange.arrival("ada")
        await line.close()


@pytest.mark.parametrize(("code", "ended"), [(0, Ended(1006)), (1012, Ended(1012, "restart"))])
async def test_a_connection_is_dropped_with_a_code_or_without(code, ended):
    async with ScriptedExchange() as exchange:
        line, _ = await come(exchange, "ada")
        await exchange.drop("ada", code, "restart" if code else "")
        async with asyncio.timeout(WAIT_SECONDS):
            assert await line.ended() == ended
        with pytest.raises(AssertionError, match="ada is not connected"):
            await exchange.push("ada", f.Gap(5))


async def test_what_is_no_message_of_the_wire_is_refused():
    async with ScriptedExchange() as exchange:
        line, _ = await come(exchange, "ada")
        with pytest.raises(Refused, match="Invalid message format"):
            await line.request(r.Ask(content=Raw(b"{"), id="1"), seconds=WAIT_SECONDS)
        await line.close()


async def test_everything_is_gone_when_it_ends():
    async with ScriptedExchange() as exchange:
        line, _ = await come(exchange, "ada")
    async with asyncio.timeout(WAIT_SECONDS):
        assert (await line.ended()).code in {1001, 1006}
    with pytest.raises(NotConnected):
        await come(exchange, "ada")


# --- house rules -----------------------------------------------------------------------------------------------------


async def test_a_pair_is_really_served():
    async with ScriptedExchange() as exchange:
        await exchange.pair("ada", "bob")
        ada, heard_ada = await come(exchange, "ada")
        bob, heard_bob = await come(exchange, "bob")
        receipt = await ada.request(ask())
        assert (receipt.status, receipt.to) == ("delivered", "Bob")
        await eventually(lambda: heard_bob and heard_bob[-1].id == "m1")
        await bob.request(r.Answer(content=TEA, to="ada", id="a1", replyTo="m1"))
        await eventually(lambda: heard_ada and heard_ada[-1].replyTo == "m1")
        [friend] = (await ada.request(r.Friends(id="f1"))).friends
        assert (friend.username, friend.online) == ("bob", True)
        for line in (ada, bob):
            await line.close()


async def test_mail_waits_for_who_is_away_and_comes_until_it_is_acknowledged():
    async with ScriptedExchange() as exchange:
        await exchange.pair("ada", "bob")
        ada, _ = await come(exchange, "ada")
        assert (await ada.request(ask())).status == "queued"
        bob, heard = await come(exchange, "bob")
        await eventually(lambda: "m1" in [getattr(frame, "id", "") for frame in heard])
        await exchange.drop("bob")
        again, heard = await come(exchange, "bob", bob.token)
        await eventually(lambda: "m1" in [getattr(frame, "id", "") for frame in heard])
        again.send(r.Ack(exchange.unacked("bob")[0].offset))
        await exchange.until(lambda: not exchange.unacked("bob"))
        for line in (ada, again):
            await line.close()


async def test_the_script_can_post_mail_to_a_user_that_nobody_serves():
    async with ScriptedExchange() as exchange:
        line, heard = await come(exchange, "ada")
        await exchange.mail("ada", f.Expired("m1", "bob", ""))
        await eventually(lambda: heard)
        line.send(r.Ack(heard[0].offset))
        assert (await exchange.expect(r.Ack, "ada")).request.upTo == heard[0].offset
        assert exchange.unacked("ada") == []
        await line.close()


async def test_a_plain_pair_hears_of_each_other_and_is_forwarded_live():
    async with ScriptedExchange(features=()) as exchange:
        await exchange.pair("ada", "bob")
        ada, heard_ada = await come(exchange, "ada")
        _, heard_bob = await come(exchange, "bob")
        await eventually(lambda: heard_ada and heard_bob)
        assert [type(frame) for frame in (heard_ada[0], heard_bob[0])] == [f.FriendConnected] * 2
        await ada.request(r.Ask(content=TEA, to="bob"))
        await eventually(lambda: heard_bob[-1] == f.Question(content=TEA, from_="ada", fromNickname="Ada"))
        await exchange.drop("bob")
        await eventually(lambda: isinstance(heard_ada[-1], f.FriendDisconnected))
        with pytest.raises(Refused, match="Bob is not connected"):
            await ada.request(r.Ask(content=TEA, to="bob"))
        await ada.close()


async def test_a_reply_can_be_lost_after_what_it_is_about_was_done():
    async with ScriptedExchange() as exchange:
        await exchange.pair("ada", "bob")
        bob, heard = await come(exchange, "bob")
        ada, _ = await come(exchange, "ada")
        exchange.drop_reply("ada", r.Ask)
        with pytest.raises(OutcomeUnknown):
            await ada.request(ask())
        await eventually(lambda: "m1" in [getattr(frame, "id", "") for frame in heard])
        again, _ = await come(exchange, "ada", ada.token)
        assert (await again.request(ask())).id == "m1"
        assert len(exchange.unacked("bob")) == 1
        for line in (bob, again):
            await line.close()


async def test_a_stalled_user_is_answered_when_it_goes_on():
    async with ScriptedExchange() as exchange:
        exchange.serve("ada")
        await exchange.pair("ada", "bob")
        ada, _ = await come(exchange, "ada")
        exchange.stall("ada")
        lost, kept = (asyncio.create_task(ada.request(ask(id_))) for id_ in ("m1", "m2"))
        await exchange.refuse(await exchange.expect(r.Ask), "no")
        with pytest.raises(Refused, match="no"):
            await lost
        await eventually(lambda: len(exchange.heard) == 3)
        await exchange.resume("ada")
        assert (await kept).status == "queued"
        await ada.close()


async def test_whoever_takes_a_name_over_by_token_displaces_the_one_before():
    async with ScriptedExchange() as exchange:
        ada, _ = await come(exchange, "ada")
        again, pushed = await come(exchange, "ada", ada.token)
        async with asyncio.timeout(WAIT_SECONDS):
            assert await ada.ended() == Ended(1000, "Session continues elsewhere")
        await exchange.push("ada", f.Gap(5))
        await eventually(lambda: pushed)
        await again.close()
