"""Agreeing to who wants to redeem an invitation, on two nodes with one store in memory."""

import pytest

from tests.harness.world import PERSISTENT, Peer


@pytest.fixture
async def ann(here) -> Peer:
    return await here.identified("ann", features=PERSISTENT)


async def invite(ann: Peer) -> str:
    return (await ann.ask("create_invite", confirm=True))["code"]


async def test_an_invitation_that_asks_for_agreement_waits_for_it_and_is_not_used_up(there, ann):
    bob = await there.identified("bob", features=PERSISTENT)
    code = await invite(ann)
    reply = await bob.ask("connect", code=code)
    assert (reply["type"], reply["code"]) == ("error", "unconfirmed")
    assert reply["retryAfterMs"] > 0
    assert await ann.ask("confirm", code=code, username="bob") == {"type": "confirmed", "username": "bob"}
    assert (await bob.ask("connect", code=code))["type"] == "connected_to_friend"


async def test_agreement_is_with_one_user_and_the_last_one_counts(there, ann):
    bob, cat = await there.identified("bob", features=["ids"]), await there.identified("cat", features=["ids"])
    code = await invite(ann)
    for name in ("bob", "cat"):
        await ann.ask("confirm", code=code, username=name)
    assert (await bob.ask("connect", code=code))["code"] == "unconfirmed"
    assert (await cat.ask("connect", code=code))["type"] == "connected_to_friend"


async def test_waiting_for_agreement_is_no_wrong_guess(there, ann):
    bob = await there.identified("bob", features=["ids"])
    code = await invite(ann)
    for _ in range(there.exchange.policy.failures_connection + 1):
        assert (await bob.ask("connect", code=code))["code"] == "unconfirmed"


@pytest.mark.parametrize("code", ["NOSUCH", "not a code"])
async def test_only_codes_that_are_open_can_be_agreed_to(ann, code):
    assert (await ann.ask("confirm", code=code, username="bob"))["message"] == "Invalid or expired invitation code"


async def test_nobody_agrees_in_the_place_of_the_inviter(there, ann):
    bob = await there.identified("bob", features=PERSISTENT)
    code = await invite(ann)
    assert (await bob.ask("confirm", code=code, username="bob"))["type"] == "error"
    assert (await bob.ask("connect", code=code))["code"] == "unconfirmed"
