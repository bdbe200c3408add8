"""Acknowledgements as a client makes them (DEL-37, MAGI-48)."""

import pytest

from tests.harness.waiting import eventually
from tests.harness.world import STORING, befriend


@pytest.fixture
async def question(here, there):
    """Bob, who has been given a question of Ann's, and the question."""
    ann = await here.identified("ann", features=STORING)
    bob = await there.identified("bob", features=STORING)
    await befriend(ann, bob)
    await ann.ask("ask", to="bob", content="hello")
    return bob, await bob.hears("question")


async def test_an_acknowledgement_has_no_reply_and_empties_the_mailbox(memory, question):
    bob, mail = question
    count = len(bob.heard)
    bob.say("ack", upTo=mail["offset"])
    (box,) = memory.boxes.values()
    await eventually(lambda: not box.letters)
    assert len(bob.heard) == count


async def test_what_was_never_delivered_cannot_be_acknowledged_and_nothing_is_lost(memory, question):
    bob, _ = question
    reply = await bob.ask("ack", upTo="9999999999999-0", id="a1")
    assert (reply["type"], reply["code"]) == ("error", "never_delivered")
    (box,) = memory.boxes.values()
    assert len(box.letters) == 1


@pytest.mark.parametrize("upto", [None, 7, "", "soon", "1-", ["1-0"]], ids=str)
async def test_what_is_no_offset_is_refused(question, upto):
    bob, _ = question
    reply = await bob.ask("ack", upTo=upto)
    assert reply["message"] == "Invalid value for upTo"


async def test_a_client_without_mail_has_no_such_request(here):
    ann = await here.identified("ann")
    assert (await ann.ask("ack", upTo="1-0"))["message"] == "Unknown message type: ack"
