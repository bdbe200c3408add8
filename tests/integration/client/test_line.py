"""Lines against real nodes: what the scripted exchange plays is what an exchange does."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from msgspec import Raw

from magi.client.errors import (
    BadFrame,
    FriendAway,
    InviteRefused,
    NameTaken,
    NotConnected,
    NotFriends,
    Refused,
    TokenRefused,
    TooLarge,
)
from magi.client.line import FEATURES, Ended, Identity, Line
from magi.client.model import Tokens
from magi.client.resume import Course, Verdict
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from tests.harness.in_process import Running, in_process
from tests.harness.waiting import WAIT_SECONDS, eventually

TEA = Raw(b'{"text":"Tea?"}')


class Person:
    """A user and its lines."""

    def __init__(self, username: str, features: tuple[str, ...] = FEATURES) -> None:
        self.identity = Identity(username, username.title(), features)
        self.tokens = Tokens()
        self.heard: list[f.Frame] = []
        self.lines: list[Line] = []

    async def come(self, running: Running, node: int = 0) -> Line:
        """Open one more line, at one of the nodes."""
        address = f"ws://127.0.0.1:{running.ports[node]}/"
        line = await Line.open(address, self.identity, self.tokens, on_push=self.heard.append)
        self.lines.append(line)
        if line.token:
            self.tokens = Tokens(line.token, self.tokens.current)
        return line

    async def hears(self, kind: type, count: int = 1) -> list[f.Frame]:
        """Wait until so many frames of a type were pushed, and return them."""
        await eventually(lambda: len(self._of(kind)) >= count)
        return self._of(kind)

    def _of(self, kind: type) -> list[f.Frame]:
        return [frame for frame in self.heard if isinstance(frame, kind)]


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with in_process("memory", {}) as nodes:
        yield nodes


@pytest.fixture
async def people() -> AsyncIterator[tuple[Person, Person]]:
    """Two users; their lines are closed afterwards."""
    both = Person("ada"), Person("bob")
    yield both
    for line in (line for person in both for line in person.lines):
        await line.close()


async def befriend(inviter: Person, redeemer: Person) -> None:
    invite = await inviter.lines[-1].request(r.CreateInvite(id="invite"))
    joined = await redeemer.lines[-1].request(r.Connect(code=invite.code.lower(), id="connect"))
    assert isinstance(joined, f.ConnectedToFriend)
    await inviter.hears(f.FriendConnected)


async def over(line: Line) -> Ended:
    async with asyncio.timeout(WAIT_SECONDS):
        return await line.ended()


async def test_a_question_goes_to_another_node_and_its_answer_comes_back(running, people):
    ada, bob = people
    here, there = await ada.come(running, 0), await bob.come(running, 1)
    assert here.granted == there.granted == frozenset(FEATURES)
    await befriend(ada, bob)
    receipt = await here.request(r.Ask(content=TEA, to="bob", id="q1"))
    assert (receipt.status, receipt.to) == ("delivered", "Bob")
    [question] = await bob.hears(f.Question)
    assert (question.id, question.content, question.from_) == ("q1", TEA, "ada")
    there.send(r.Ack(question.offset))
    await there.request(r.Answer(content=TEA, to="ada", replyTo="q1", id="a1"))
    [answer] = await ada.hears(f.Answered)
    assert answer.replyTo == "q1"
    [friend] = (await there.request(r.Friends(id="f"))).friends
    assert (friend.username, friend.online, friend.features) == ("ada", True, sorted(FEATURES))


async def test_mail_is_given_again_on_another_node_until_it_is_acknowledged(running, people):
    ada, bob = people
    await ada.come(running, 0)
    gone = await bob.come(running, 0)
    await befriend(ada, bob)
    await gone.close()
    assert (await ada.lines[0].request(r.Ask(content=TEA, to="bob", id="q1"))).status in {"queued", "delivered"}
    lost = await bob.come(running, 1)
    await bob.hears(f.Question)
    await lost.close()
    again = await bob.come(running, 0)
    first, second = await bob.hears(f.Question, 2)
    assert (first.id, first.offset) == (second.id, second.offset)
    again.send(r.Ack(second.offset))
    assert (await again.request(r.Presence("idle", id="p"))).status == "idle"  # all before is done
    await again.close()
    await bob.come(running, 1)
    await ada.lines[0].request(r.Ask(content=TEA, to="bob", id="q2"))
    assert [frame.id for frame in await bob.hears(f.Question, 3)] == ["q1", "q1", "q2"]


async def test_the_same_id_again_is_the_same_message(running, people):
    ada, bob = people
    line = await ada.come(running, 0)
    await bob.come(running, 1)
    await befriend(ada, bob)
    receipts = [await line.request(r.Ask(content=TEA, to="bob", id="q1")) for _ in range(3)]
    assert len({bytes(receipt.content) for receipt in receipts}) == 1
    await line.request(r.Ask(content=TEA, to="bob", id="q2"))
    assert [frame.id for frame in await bob.hears(f.Question, 2)] == ["q1", "q2"]


async def test_a_token_takes_the_identity_over_and_the_one_before_is_good_once_more(running, people):
    ada, _ = people
    first = await ada.come(running, 0)
    second = await ada.come(running, 1)
    assert await over(first) == Ended(1000, "Session continues elsewhere")
    course = Course([second.server], random=random.Random(1))
    course.next_attempt(0.0)
    assert course.ended(await over(first), 1.0) is Verdict.COME_BACK
    ada.tokens = Tokens("lost", first.token)
    third = await ada.come(running, 0)
    assert third.token not in {first.token, second.token}
    await over(second)


async def test_names_and_tokens_of_others_are_refused(running, people):
    ada, _ = people
    await ada.come(running, 0)
    thief = Person("ada")
    with pytest.raises(NameTaken):
        await thief.come(running, 1)
    thief.tokens = Tokens("no-such-token", "nor-this-one")
    with pytest.raises(TokenRefused):
        await thief.come(running, 1)
    with pytest.raises(Refused, match="Username is required"):
        await Person("").come(running, 0)


async def test_refusals_are_errors_of_their_kind(running, people):
    ada, bob = people
    line = await ada.come(running, 0)
    await bob.come(running, 1)
    for request, kind in (
        (r.Ask(content=TEA, to="bob", id="1"), NotFriends),
        (r.Ask(content=TEA, to="nobody", id="2"), NotFriends),
        (r.Connect(code="NOCODE", id="3"), InviteRefused),
        (r.Unfriend("bob", id="4"), NotFriends),
        (r.History("c", id="5"), Refused),
        (r.Ask(content=Raw(b'"' + b"x" * (1 << 20) + b'"'), to="bob", id="6"), TooLarge),
        (r.Ask(content=Raw(b"nonsense"), to="bob", id="7"), Refused),
    ):
        with pytest.raises(kind):
            await line.request(request)
    assert isinstance(await line.request(r.CreateInvite(id="8")), f.InviteCreated)


async def test_a_message_that_is_far_too_large_ends_the_line_and_fails(running, people):
    line = await people[0].come(running)
    with pytest.raises(TooLarge):
        await line.request(r.Ask(content=Raw(b'"' + b"x" * (5 << 20) + b'"'), to="bob", id="1"))
    assert (await over(line)).code == 1009


async def test_plain_lines_ask_and_answer_in_order(running, people):
    ada, bob = Person("ada", ()), Person("bob", ())
    try:
        line = await ada.come(running, 0)
        await bob.come(running, 1)
        assert (line.granted, line.token) == (frozenset(), "")
        await befriend(ada, bob)
        asks = (line.request(r.Ask(content=Raw(b"%d" % number), to="bob")) for number in range(10))
        receipts = await asyncio.gather(*asks, line.request(r.CreateInvite()))
        assert [bytes(receipt.content) for receipt in receipts[:-1]] == [b"%d" % number for number in range(10)]
        assert [bytes(frame.content) for frame in await bob.hears(f.Question, 10)] == [b"%d" % n for n in range(10)]
        await bob.lines[0].close()
        await ada.hears(f.FriendDisconnected)
        with pytest.raises((FriendAway, NotFriends)):
            await line.request(r.Ask(content=TEA, to="bob"))
    finally:
        for one in (*ada.lines, *bob.lines):
            await one.close()


async def test_a_draining_node_is_left_for_the_other_one_with_the_same_identity(running, people):
    ada, bob = people
    line = await ada.come(running, 0)
    await bob.come(running, 1)
    await befriend(ada, bob)
    course = Course([line.server, bob.lines[0].server], random=random.Random(1))
    while course.next_attempt(0.0)[0] != line.server:
        continue
    course.opened(0.0)
    stopping = asyncio.create_task(running.nodes[0].stop())
    [notice] = await ada.hears(f.Draining)
    seconds = course.draining(notice.afterMs, notice.untilMs, 10.0)
    assert notice.afterMs / 1000 <= seconds <= notice.untilMs / 1000
    assert course.next_attempt(10.0) == (bob.lines[0].server, pytest.approx(seconds))
    again = await ada.come(running, 1)
    assert (await again.request(r.Ask(content=TEA, to="bob", id="q1"))).status == "delivered"
    await stopping


async def test_a_stopped_node_says_that_it_goes_away(running, people):
    line = await people[0].come(running, 0)
    stopping = asyncio.create_task(running.nodes[0].stop())
    assert (await over(line)).code == 1001
    await stopping
    with pytest.raises(NotConnected, match="Nobody listens"):
        await people[0].come(running, 0)


async def test_a_path_without_an_exchange_is_said_to_be_one(running, people):
    with pytest.raises(NotConnected, match="has no exchange at this path") as caught:
        await Line.open(f"ws://127.0.0.1:{running.ports[0]}/elsewhere", people[0].identity, Tokens(), on_push=print)
    assert caught.value.status == 404


async def test_a_relay_is_no_mAgi_exchange(people):
    async with in_process("one", {"relay": {"listener": True, "listener_port": 0}}) as running:
        with pytest.raises((NotConnected, BadFrame)):
            await Line.open(f"ws://127.0.0.1:{running.relay_ports[0]}/", people[0].identity, Tokens(), on_push=print)
