"""The client against real nodes: two of one exchange, in this process, with real sockets."""

import asyncio
import contextlib
import random
import textwrap
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

import magi
from magi.client.client import Client
from magi.client.errors import AlreadySettled, Declined, Expired, InviteRefused, NameTaken, NotFriends, StillOpen
from magi.client.inbox import Question
from magi.client.memory import MemoryStore
from magi.client.model import Kind
from magi.client.states import State
from tests.harness.cluster import cluster
from tests.harness.in_process import Running, in_process
from tests.harness.waiting import WAIT_SECONDS, eventually

ALICE, BOB = "alice@example.com", "bob@example.com"
EXAMPLE = """
from magi import Client

async with Client(["wss://a.example.com/bx", "wss://b.example.com/bx"], "alice@example.com", nickname="Alice") as me:
    ask = await me.ask("bob@example.com", "Which Redis do you run?")    # safe in the outbox, has an id
    answer = await ask.answer(wait_seconds=60)                         # Answer, or raises StillOpen: the ask goes on
    async for question in me.questions():                              # each once; acknowledged when stored, open until settled
        await question.answer("8.4, cluster mode")
"""
"""What the documents show, word for word."""


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """Two nodes of one exchange."""
    async with in_process("two", {}) as running:
        yield running


@pytest.fixture
def urls(running: Running) -> list[str]:
    """Their addresses."""
    return [f"ws://127.0.0.1:{port}/" for port in running.ports]


@contextlib.asynccontextmanager
async def friends(
    servers: Sequence[str], *, alice: dict[str, Any] | None = None, bob: dict[str, Any] | None = None
) -> AsyncIterator[tuple[Client, Client]]:
    """Open two clients on two nodes and make them friends."""
    async with (
        Client(servers[0], ALICE, nickname="Alice", **(alice or {})) as one,
        Client(servers[1], BOB, nickname="Bob", **(bob or {})) as two,
    ):
        await befriend(one, two)
        yield one, two


async def befriend(one: Client, two: Client) -> None:
    """Make friends; returns when both know."""
    invite = await one.invite()
    await two.connect(invite.code.lower())
    await eventually(lambda: knows(one, two.username))


async def knows(client: Client, username: str) -> bool:
    """Tell whether a client has this friend."""
    return username in [friend.username for friend in await client.friends()]


@contextlib.asynccontextmanager
async def answering(client: Client, text: str = "Yes.") -> AsyncIterator[list[str]]:
    """Answer every question; yields what was asked."""
    asked: list[str] = []

    async def answer() -> None:
        async for question in client.questions():
            asked.append(question.text)
            await question.answer(text)

    task = asyncio.create_task(answer())
    try:
        yield asked
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def next_question(client: Client) -> Question:
    """Return the next question."""
    async with asyncio.timeout(WAIT_SECONDS), contextlib.aclosing(client.questions()) as questions:
        return await anext(questions)


def lose(client: Client) -> None:
    """Break the line of a client, as a network does."""
    line = client._connection.line
    if line is not None:
        line._socket.transport.abort()


async def test_the_example_of_the_documents_runs_as_printed(urls, monkeypatch):
    places = {"wss://a.example.com/bx": urls[0], "wss://b.example.com/bx": urls[1]}
    store = MemoryStore()

    def local(servers: list[str], *words: str, **options: Any) -> Client:
        return Client([places[server] for server in servers], *words, store=store, **options)

    async with Client(urls[1], BOB, nickname="Bob") as bob:
        async with Client(urls[0], ALICE, store=store) as before:
            await befriend(before, bob)
        monkeypatch.setattr(magi, "Client", local, raising=False)
        names: dict[str, Any] = {}
        exec(f"async def example():\n{textwrap.indent(EXAMPLE, '    ')}", names)  # our own text, above
        task = asyncio.create_task(names["example"]())
        try:
            asked = await next_question(bob)
            assert asked.text == "Which Redis do you run?"
            await asked.answer("7.0")
            ask = await bob.ask(ALICE, "And you?")
            assert (await ask.answer(wait_seconds=WAIT_SECONDS)).text == "8.4, cluster mode"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_an_ask_is_answered_across_nodes_and_each_state_has_its_evidence(urls):
    async with friends(urls) as (alice, bob):
        ask = await alice.ask(BOB, "Tea?", thread="t1")
        question = await next_question(bob)
        assert (question.id, question.sender, question.message.thread) == (ask.id, ALICE, "t1")
        await eventually(lambda: _is(ask, State.ARRIVED))
        await bob.report(question.message, State.HELD)
        await eventually(lambda: _is(ask, State.HELD))
        await question.answer("Yes, please.")
        answer = await ask.answer(wait_seconds=WAIT_SECONDS)
        assert (answer.text, answer.sender, answer.matched, answer.reply_to) == ("Yes, please.", BOB, "id", ask.id)
        assert ask.state is State.ANSWERED
        assert await alice.store.inbox() == [], "whoever waited has it"


async def test_nickname_and_anyone_lead_to_the_friend(urls):
    async with friends(urls) as (alice, _bob):
        assert [(await alice.ask(to, "Tea?")).to for to in ("@BOB", "bob", "Anyone")] == [BOB, BOB, BOB]


async def test_a_decline_has_its_reason_and_a_note_no_answer(urls):
    async with friends(urls) as (alice, bob):
        ask = await alice.ask(BOB, "Tea?")
        await (await next_question(bob)).decline("asleep")
        with pytest.raises(Declined, match="asleep"):
            await ask.answer(wait_seconds=WAIT_SECONDS)
        await alice.note(BOB, "Never mind.")
        async with asyncio.timeout(WAIT_SECONDS), contextlib.aclosing(bob.inbox((Kind.NOTE,))) as notes:
            note = await anext(notes)
        assert isinstance(note, Question)
        assert (note.text, note.wants_answer) == ("Never mind.", False)
        await note.ack()
        with pytest.raises(AlreadySettled):
            await note.ack()


@pytest.mark.parametrize(("mine", "theirs"), [((), ()), ((), None), (None, ())])
async def test_everything_works_with_plain_ends(urls, mine, theirs):
    async with friends(urls, alice={"features": mine}, bob={"features": theirs}) as (alice, bob):
        assert alice.missing == frozenset()
        for asker, other in ((alice, bob), (bob, alice)):
            asks = [await asker.ask(other.username, f"Cup {n}?") for n in range(3)]
            async with answering(other, "Yes.") as asked:
                answers = [await ask.answer(wait_seconds=WAIT_SECONDS) for ask in asks]
            assert asked == ["Cup 0?", "Cup 1?", "Cup 2?"]
            assert [answer.text for answer in answers] == ["Yes."] * 3
            assert [answer.reply_to for answer in answers] == [ask.id for ask in asks]
            assert {answer.matched for answer in answers} <= {"id", "order"}
        declined = await alice.ask(BOB, "Sugar?")
        await (await next_question(bob)).decline("none left")
        assert (await declined.answer(wait_seconds=WAIT_SECONDS)).text == "Declined: none left"


async def test_a_plain_exchange_cannot_unfriend_so_it_is_done_here(urls):
    async with friends(urls, alice={"features": ()}) as (alice, bob):
        assert not await alice.unfriend(BOB)
        assert not await alice.presence(status="idle")
        ask = await bob.ask(ALICE, "Still there?")
        await eventually(lambda: _is(ask, State.DELIVERED))
        await befriend(alice, bob)
        assert await alice.store.inbox() == []


async def test_mail_waits_for_a_friend_who_is_away(urls):
    store = MemoryStore()
    async with Client(urls[0], ALICE) as alice:
        async with Client(urls[1], BOB, store=store) as bob:
            await befriend(alice, bob)
        ask = await alice.ask(BOB, "Tea?")
        await eventually(lambda: _is(ask, State.QUEUED))
        with pytest.raises(StillOpen):
            await ask.answer(wait_seconds=0.01)
        async with Client(urls[0], BOB, store=store) as bob, answering(bob):
            assert (await ask.answer(wait_seconds=WAIT_SECONDS)).text == "Yes."


async def test_a_thousand_asks_over_lines_that_break_at_random_are_answered_once_each_in_order(urls, monkeypatch):
    monkeypatch.setattr(
        "magi.client.resume.MOST_SECONDS", 0.1
    )  # a line that breaks so often is else left alone for longer
    chance = random.Random(7)
    async with friends([urls, urls]) as (alice, bob):
        async with answering(bob) as asked:
            asks = []
            for n in range(1_000):
                asks.append(await alice.ask(BOB, str(n)))
                if chance.random() < 0.02:
                    lose(chance.choice((alice, bob)))
                    await eventually(lambda: _is(asks[-50:][0], State.ANSWERED))
            answers = [await ask.answer(wait_seconds=WAIT_SECONDS) for ask in asks]
        assert asked == [str(n) for n in range(1_000)]
        assert [answer.reply_to for answer in answers] == [ask.id for ask in asks]


async def test_a_node_that_is_drained_is_left_and_no_friendship_ends(running, urls):
    async with friends([urls, urls]) as (alice, bob):
        heard: list[str] = []
        listening = [asyncio.create_task(_listen(client, heard)) for client in (alice, bob)]
        place = urls.index(alice.server)
        async with answering(bob) as asked:
            stopping = asyncio.create_task(running.nodes[place].stop())
            asks = [await alice.ask(BOB, str(n)) for n in range(20)]
            for ask in asks:
                await ask.answer(wait_seconds=WAIT_SECONDS)
            await eventually(lambda: alice.server == bob.server == urls[1 - place])
            await stopping
        assert asked == [str(n) for n in range(20)]
        assert "friend_disconnected" not in heard
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


async def test_a_node_that_dies_between_receipt_and_answer_loses_nothing():
    with cluster(2, workers=1) as box:
        async with friends([box.urls, box.urls]) as (alice, bob):
            ask = await alice.ask(BOB, "Tea?")
            question = await next_question(bob)
            await eventually(lambda: _is(ask, State.ARRIVED))
            dying = next(node for node in box.nodes if node.url == alice.server)
            dying.kill()
            await question.answer("Yes.")
            assert (await ask.answer(wait_seconds=WAIT_SECONDS)).text == "Yes."


async def test_a_token_is_kept_before_open_returns_and_brings_us_back(urls):
    store = MemoryStore()
    async with Client(urls[0], ALICE, store=store):
        first = (await store.tokens()).current
        assert first
    async with Client(urls[1], ALICE, store=store):
        assert (await store.tokens()).previous == first


async def test_a_name_that_somebody_has_is_taken_for_good(urls):
    async with Client(urls[0], ALICE):
        with pytest.raises(NameTaken):
            await Client(urls[1], ALICE).open()


async def test_what_the_exchange_refuses_fails_with_its_words(urls):
    async with Client(urls[0], ALICE) as alice:
        ask = await alice.ask("nobody@example.com", "Tea?")
        with pytest.raises(NotFriends, match=r"'nobody@example\.com' not found"):
            await ask
        with pytest.raises(InviteRefused):
            await alice.connect("AAAAAA")


async def test_an_ask_that_nobody_answers_expires_here(urls):
    async with friends(urls) as (alice, _bob):
        ask = await alice.ask(BOB, "Tea?", expires_seconds=0.2)
        with pytest.raises(Expired):
            await ask


async def test_a_late_answer_goes_to_the_inbox(urls):
    async with friends(urls) as (alice, bob):
        ask = await alice.ask(BOB, "Tea?")
        question = await next_question(bob)
        assert await ask.withdraw() is State.WITHDRAWN
        await question.answer("Yes.")
        async with asyncio.timeout(WAIT_SECONDS), contextlib.aclosing(alice.inbox()) as items:
            late = await anext(items)
        assert isinstance(late, magi.Answer)
        assert (late.text, late.reply_to) == ("Yes.", ask.id)
        with pytest.raises(Expired):
            await ask


async def test_unfriend_and_block_end_it_on_both_sides(urls):
    async with friends(urls) as (alice, bob):
        assert await alice.unfriend(BOB)
        await eventually(lambda: _lacks(bob, ALICE))
        assert await alice.block(BOB)
        invite = await bob.invite()
        with pytest.raises(InviteRefused):
            await alice.connect(invite.code)
        assert await alice.unblock(BOB)
        await alice.connect(invite.code)


async def test_friends_see_what_we_are_doing(urls):
    async with friends(urls) as (alice, bob):
        events = alice.events()
        assert await bob.presence(status="working", capabilities=["python"])
        async with asyncio.timeout(WAIT_SECONDS):
            event = await anext(events)
        assert event.kind == "friend_presence"
        (friend,) = await alice.friends()
        assert (friend.status, friend.capabilities, friend.online) == ("working", ("python",), True)


async def test_friends_are_known_to_a_new_installation_with_the_token(urls):
    store = MemoryStore()
    async with Client(urls[0], ALICE) as alice:
        async with Client(urls[1], BOB, store=store) as bob:
            await befriend(alice, bob)
        token = (await store.tokens()).current
        async with Client(urls[1], BOB, token=token) as bob:
            assert [friend.username for friend in await bob.friends()] == [ALICE]


async def _listen(client: Client, heard: list[str]) -> None:
    async for event in client.events():
        heard.append(event.kind)  # noqa: PERF401  # while it goes on


async def _is(ask: magi.Ask, state: State) -> bool:
    return await ask.refresh() is state


async def _lacks(client: Client, username: str) -> bool:
    return not await knows(client, username)
