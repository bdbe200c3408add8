"""Twin of ``magi/client/client.py``."""

import asyncio
import contextlib

import pytest
from msgspec import Raw

from magi.client.client import Client
from magi.client.errors import Displaced, NameTaken, NotConnected, ProfileError, StillOpen
from magi.client.line import FEATURES
from magi.client.memory import MemoryStore
from magi.client.model import Friend, Incoming, Kind, Outgoing
from magi.client.states import State
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from tests.harness.lines import FakeExchange
from tests.harness.waiting import WAIT_SECONDS, eventually

NOW_MS = 1_800_000_000_000
QUESTION = Incoming("q1", "bob", "Bob", Kind.ASK, "Tea?", NOW_MS)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("magi.client.resume.FIRST_SECONDS", 0.001)


@pytest.fixture
def exchange():
    exchange = FakeExchange()
    exchange.befriend("bob", *FEATURES)
    return exchange


@pytest.fixture
async def client(exchange):
    async with make(exchange) as client:
        yield client


def make(exchange, **options):
    return Client("ws://a/", "alice", nickname="Alice", open_line=exchange.open, **options)


async def test_it_is_open_when_it_is_identified_and_knows_its_friends(exchange, client):
    assert client.granted == frozenset(FEATURES)
    assert client.missing == frozenset()
    assert client.server == "ws://a/"
    assert (client.over, client.trouble) == (None, None)
    assert [friend.username for friend in await client.friends()] == ["bob"]


async def test_before_and_after_there_is_nothing_granted(exchange):
    client = make(exchange)
    assert (client.granted, client.missing, client.server) == (frozenset(), frozenset(), "")
    async with client:
        pass
    assert client.server == ""


async def test_what_the_exchange_did_not_grant_is_missing(exchange):
    exchange.granted = frozenset({"ids"})
    async with make(exchange, features=("ids", "presence")) as client:
        assert client.missing == {"presence"}


async def test_an_address_that_is_none_is_refused_at_once():
    with pytest.raises(ProfileError):
        Client("ftp://a/", "alice")


async def test_opening_raises_why_it_cannot_and_leaves_nothing_behind(exchange):
    exchange.refusals.append(NameTaken())
    client = make(exchange)
    with pytest.raises(NameTaken):
        await client.open()
    assert all(task.done() for task in client._tasks)
    exchange.refusals.extend([NotConnected("no route")] * 1_000)
    with pytest.raises(NotConnected, match="no route"):
        await make(exchange).open(wait_seconds=0.05)


async def test_starting_does_not_wait_and_what_is_asked_is_sent_later(exchange):
    exchange.refusals.append(NotConnected())
    client = make(exchange)
    await client.start()
    await client.start()
    try:
        ask = await client.ask("bob", "Tea?")
        assert ask.state is State.PENDING
        await client.connected(wait_seconds=WAIT_SECONDS)
        assert [sent.id for sent in await exchange.has_sent(1)] == [ask.id]
    finally:
        await client.close()


async def test_a_token_from_elsewhere_is_used_if_the_store_has_none(exchange):
    store = MemoryStore()
    async with make(exchange, token="t0", store=store):
        assert exchange.line.tokens.current == "t0"
    await store.keep_token("t1")
    async with make(exchange, token="t0", store=store):
        assert exchange.line.tokens.current == "t1"


async def test_what_an_earlier_process_left_unsent_is_sent(exchange):
    store = MemoryStore()
    left = Outgoing("a1", "bob", Kind.ASK, "Tea?", NOW_MS, 2 * NOW_MS)
    await store.put_out(left)
    async with make(exchange, store=store) as client:
        (sent,) = await exchange.has_sent(1)
        assert sent.id == "a1"
        assert (await client.find("a1")).id == "a1"
        assert await client.find("a2") is None


async def test_closing_lets_what_is_under_way_finish(exchange):
    async with make(exchange) as client:
        await client.ask("bob", "Tea?")
    assert await client.store.unsent() == []
    assert exchange.line.closed


async def test_every_wait_ends_when_the_client_is_closed(exchange):
    client = await make(exchange).open()
    ask = await client.ask("bob", "Tea?")
    waits = [asyncio.ensure_future(wait) for wait in (ask.answer(), anext(client.questions()), anext(client.inbox()))]
    await asyncio.sleep(0)
    await client.close()
    assert [type(one) for one in await asyncio.gather(*waits, return_exceptions=True)] == [NotConnected] * 3


async def test_displacement_is_raised_by_every_call_that_waits(exchange, monkeypatch):
    monkeypatch.setattr("magi.client.resume.DISPLACED_RETRY_SECONDS", 0.0)
    client = await make(exchange).open()
    try:
        ask = await client.ask("bob", "Tea?")
        waiting = asyncio.create_task(ask.answer())
        events = client.events()
        exchange.line.end(1000)
        await eventually(lambda: len(exchange.lines) == 2 and client.server)
        exchange.line.end(1000)
        with pytest.raises(Displaced):
            await waiting
        assert isinstance(client.over, Displaced)
        for call in (client.invite(), client.connected(), anext(client.questions())):
            with pytest.raises(Displaced):
                await call
        heard = []
        with contextlib.suppress(Displaced):
            async for event in events:
                heard.append(event.kind)  # noqa: PERF401  # it ends by raising
        assert heard == ["disconnected", "connected", "disconnected", "displaced"]
    finally:
        await client.close()


async def test_a_store_that_fails_ends_the_client_with_its_error(exchange):
    class Full(MemoryStore):
        async def put_in(self, message):
            raise OSError("disk full")

    async with make(exchange, store=Full()) as client:
        ask = await client.ask("bob", "Tea?")
        exchange.line.push(f.Question(Raw(b'"?"'), "bob", "Bob", id="q1", offset="1-0"))
        with pytest.raises(OSError, match="disk full"):
            await ask
        assert exchange.line.acked == []
        await eventually(lambda: exchange.line.closed)


# --- messages --------------------------------------------------------------------------------------------------------


async def test_the_same_id_is_the_same_ask(exchange, client):
    one, two = await client.ask("bob", "Tea?", id="mine"), await client.ask("bob", "Coffee?", id="mine")
    assert (one.id, two.id) == ("mine", "mine")
    await eventually(lambda: _is(two, State.DELIVERED))
    assert len(exchange.sent()) == 1


async def test_a_note_wants_no_answer_and_never_expires_here(exchange, client):
    note = await client.note("bob", "Hello", thread="t")
    message = await client.store.out(note.id)
    assert (message.kind, message.thread) == (Kind.NOTE, "t")
    assert client._deadlines._due == []


async def test_an_ask_expires_by_itself(exchange, client):
    ask = await client.ask("bob", "Tea?", expires_seconds=0.02)
    await eventually(lambda: _is(ask, State.EXPIRED))


async def test_a_message_can_be_answered_without_its_question_object(exchange, client):
    await client.store.put_in(QUESTION)
    receipt = await client.answer(QUESTION, "No.", declined=True)
    assert receipt.how == "declined"
    (sent,) = await exchange.has_sent(1, r.Answer)
    assert (sent.id, sent.replyTo) == (receipt.id, "q1")


async def test_what_others_put_into_the_store_is_sent_on_demand_and_watched(exchange, client):
    soon_ms = client._records.now_ms() + 20
    await client.store.put_out(Outgoing("a1", "bob", Kind.ASK, "Tea?", soon_ms, soon_ms))
    await client.flush()
    ask = await client.find("a1")
    await exchange.has_sent(1)
    await eventually(lambda: _is(ask, State.EXPIRED))


async def test_states_are_reported_to_clients_that_can_read_them(exchange, client):
    assert await client.report(QUESTION, State.HELD)
    (sent,) = await exchange.has_sent(1, r.Answer)
    assert b'"state":"held"' in bytes(sent.content)
    assert not await client.report(Incoming("q1", "carol", "Carol", Kind.ASK, "Tea?", 0), State.HELD)


async def test_questions_come_from_the_line_to_the_reader(exchange, client):
    exchange.line.push(f.Question(Raw(b'"Tea?"'), "bob", "Bob", id="q1", offset="1-0"))
    async with asyncio.timeout(WAIT_SECONDS), contextlib.aclosing(client.questions()) as questions:
        question = await anext(questions)
    assert question.id == "q1"
    await eventually(lambda: exchange.line.acked == ["1-0"])


async def test_a_gap_sends_again_and_is_told(exchange, client):
    events = client.events()
    ask = await client.ask("bob", "Tea?")
    await eventually(lambda: _is(ask, State.DELIVERED))
    exchange.line.push(f.Gap(5))
    one, two = await exchange.has_sent(2)
    assert one.id == two.id == ask.id
    assert (await anext(events)).kind == "gap"


async def test_draining_moves_to_another_line_and_asks_go_on(exchange, client):
    ask = await client.ask("bob", "Tea?")
    exchange.line.push(f.Draining(0, 1))
    await eventually(lambda: len(exchange.lines) == 2 and exchange.lines[0].closed)
    with pytest.raises(StillOpen):
        await ask.answer(wait_seconds=0.001)


# --- friends ---------------------------------------------------------------------------------------------------------


async def test_an_invitation_says_when_it_expires(exchange, client):
    exchange.plan(r.CreateInvite, f.InviteCreated("ABC123", "Alice", "30 minutes", expiresAt=NOW_MS))
    invite = await client.invite(for_name="bob", confirm=True)
    assert (invite.code, invite.expires_at_ms) == ("ABC123", NOW_MS)
    (sent,) = exchange.sent(r.CreateInvite)
    assert (sent.for_, sent.confirm) == ("bob", True)


@pytest.mark.parametrize(("text", "left_ms"), [("30 minutes", 1_800_000), ("1 minute", 60_000), ("soon", None)])
async def test_a_plain_exchange_says_it_in_words(exchange, client, text, left_ms):
    client._records.now_ms = lambda: NOW_MS
    exchange.plan(r.CreateInvite, f.InviteCreated("ABC123", "Alice", text))
    assert (await client.invite()).expires_at_ms == (0 if left_ms is None else NOW_MS + left_ms)


async def test_connecting_makes_a_friend(exchange, client):
    friend = await client.connect("abc123")
    assert friend == Friend("ada", "Ada", "k", online=True)
    assert friend in await client.store.friends()
    await client.confirm("abc123", "ada")
    assert [sent.username for sent in exchange.sent(r.Confirm)] == ["ada"]


@pytest.mark.parametrize(("name", "type_"), [("unfriend", r.Unfriend), ("block", r.Block)])
async def test_parting_is_done_by_the_exchange_if_it_can(exchange, client, name, type_):
    assert await getattr(client, name)("bob")
    assert [sent.username for sent in exchange.sent(type_)] == ["bob"]
    assert await client.friends() == []
    assert await client.unblock("bob")


@pytest.mark.parametrize("name", ["unfriend", "block"])
async def test_parting_is_done_here_if_the_exchange_cannot(name):
    exchange = FakeExchange(())
    async with make(exchange, features=()) as client:
        assert not await getattr(client, name)("bob")
        assert exchange.requests == []
        exchange.line.push(f.Question(Raw(b'"Tea?"'), "bob", "Bob"))
        exchange.line.push(f.Question(Raw(b'"Tea?"'), "carol", "Carol"))
        await eventually(client.store.inbox)
        assert [item.sender for item in await client.store.inbox()] == ["carol"]
        assert not await client.unblock("bob")
        assert client._intake.shunned == set()


async def test_what_we_are_doing_is_said_again_on_every_line(exchange, client):
    assert await client.presence(status="working")
    assert await client.presence(capabilities=["python"])
    exchange.line.end()
    sent = await exchange.has_sent(3, r.Presence)
    assert [(one.status, one.capabilities) for one in sent] == [
        ("working", None),
        ("working", ["python"]),
        ("working", ["python"]),
    ]


async def test_a_plain_exchange_tells_nobody_what_we_are_doing():
    exchange = FakeExchange(())
    async with make(exchange) as client:
        assert not await client.presence(status="idle")
        assert exchange.requests == []


async def test_a_list_of_friends_that_does_not_come_does_not_keep_us_out(exchange):
    exchange.plan(r.Friends, NotConnected())
    store = MemoryStore()
    await store.keep_friend(Friend("carol", "Carol"))
    async with make(exchange, store=store) as client:
        assert [friend.username for friend in await client.friends()] == ["carol"]


async def _is(ask, state):
    return await ask.refresh() is state
