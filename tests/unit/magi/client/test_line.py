"""Twin of ``magi/client/line.py``: one connection, against a scripted exchange."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import Raw
from websockets.asyncio.server import serve

from magi.client import line as module
from magi.client.errors import (
    BadFrame,
    FriendAway,
    NameTaken,
    NotConnected,
    OutcomeUnknown,
    RateLimited,
    Refused,
    TokenRefused,
    TooLarge,
    Unavailable,
)
from magi.client.line import Ended, Identity, Line, decoded, encoded
from magi.client.model import Tokens
from magi.testing import FEATURES, ScriptedExchange
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from tests.harness.waiting import WAIT_SECONDS, eventually

ADA = Identity("ada", "Ada")
NONE = Tokens()
QUESTION = Raw(b'"?"')
PUSHED = f.Question(content=QUESTION, from_="bob", fromNickname="Bob", id="q1", ts=1)


@pytest.fixture
async def exchange() -> AsyncIterator[ScriptedExchange]:
    async with ScriptedExchange() as running:
        yield running


@pytest.fixture
async def plain() -> AsyncIterator[ScriptedExchange]:
    async with ScriptedExchange(features=()) as running:
        yield running


async def opened(exchange: ScriptedExchange, identity: Identity = ADA, tokens: Tokens = NONE) -> tuple[Line, list]:
    """Return a line and what is pushed on it."""
    pushed: list[f.Frame] = []
    return await Line.open(exchange.address, identity, tokens, on_push=pushed.append), pushed


def asking(id_: str | None = "a1", text: str = "?") -> r.Ask:
    return r.Ask(content=Raw(f'"{text}"'.encode()), to="bob", id=id_)


def receipt(heard) -> f.QuestionSent:
    return f.QuestionSent(content=heard.request.content, to="Bob")


async def over(line: Line) -> Ended:
    async with asyncio.timeout(WAIT_SECONDS):
        return await line.ended()


# --- opening ---------------------------------------------------------------------------------------------------------


async def test_a_line_knows_what_identified_said(exchange):
    line, _ = await opened(exchange)
    assert line.granted == frozenset(FEATURES)
    assert line.token
    assert line.client_id.startswith("client")
    assert line.server == exchange.address
    assert exchange.heard == [("ada", r.Identify("ada", "Ada", list(ADA.features)))]
    await line.close()


async def test_a_plain_exchange_grants_nothing_and_gives_no_token(plain):
    line, _ = await opened(plain)
    assert (line.granted, line.token) == (frozenset(), "")
    await line.close()


async def test_an_identity_without_features_is_a_plain_client(exchange):
    line, _ = await opened(exchange, Identity("ada", "Ada", ()))
    assert line.granted == frozenset()
    assert exchange.heard == [("ada", r.Identify("ada", "Ada"))]
    await line.close()


async def test_the_previous_token_is_tried_when_the_current_one_is_refused(exchange):
    line, _ = await opened(exchange)
    await line.close()
    again, _ = await opened(exchange, tokens=Tokens("lost", line.token))
    assert again.token not in {"", line.token}
    assert [request.token for _, request in exchange.heard] == [None, "lost", line.token]
    await again.close()


async def test_tokens_that_are_both_refused_are_said_to_be(exchange):
    with pytest.raises(TokenRefused, match="Resume token is not valid"):
        await opened(exchange, tokens=Tokens("lost", "gone"))


async def test_a_name_that_somebody_has_is_taken(exchange):
    line, _ = await opened(exchange)
    with pytest.raises(NameTaken, match="Username already taken"):
        await opened(exchange)
    await line.close()


async def test_another_refusal_is_said_word_for_word_and_no_other_token_is_tried():
    async with ScriptedExchange(identifies=False) as exchange:
        opening = asyncio.create_task(opened(exchange, tokens=Tokens("one", "two")))
        await exchange.refuse(await exchange.expect(r.Identify), "Username is required", "name_unusable")
        with pytest.raises(Refused) as caught:
            await opening
    assert (caught.value.text, caught.value.code) == ("Username is required", "name_unusable")
    assert len(exchange.heard) == 1


async def test_an_exchange_that_cannot_serve_now_says_so():
    async with ScriptedExchange(identifies=False) as exchange:
        opening = asyncio.create_task(opened(exchange))
        heard = await exchange.expect(r.Identify)
        await exchange.refuse(heard, "Service temporarily unavailable. Please try again.", "unavailable", 1500)
        with pytest.raises(Unavailable) as caught:
            await opening
    assert caught.value.retry_after_ms == 1500


@pytest.mark.parametrize(("code", "kind"), [(1013, Unavailable), (1011, NotConnected), (1000, NotConnected)])
async def test_a_close_before_identified_is_no_line(code, kind):
    async with ScriptedExchange(identifies=False) as exchange:
        opening = asyncio.create_task(opened(exchange))
        heard = await exchange.expect(r.Identify)
        await heard.socket.close(code)
        with pytest.raises(kind):
            await opening


async def test_a_refusal_by_http_has_status_and_time(exchange):
    exchange.turn_away(503, "7")
    with pytest.raises(NotConnected) as caught:
        await opened(exchange)
    assert (caught.value.status, caught.value.retry_after_seconds) == (503, 7.0)


@pytest.mark.parametrize("greeting", [b"hello", b'{"type":"welcome"}', b'{"type":"error","message":"no"}', b"[]"])
async def test_whoever_greets_with_something_else_is_no_exchange(greeting):
    async with ScriptedExchange(greeting=greeting) as exchange:
        with pytest.raises(BadFrame, match="is no mAgi exchange: it greets with something else"):
            await opened(exchange)


async def test_whoever_does_not_greet_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "GREETING_SECONDS", 0.05)
    async with ScriptedExchange(greeting=b"") as exchange:
        with pytest.raises(NotConnected, match="does not greet us; is it a mAgi exchange"):
            await opened(exchange)


async def test_whoever_does_not_identify_us_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "IDENTIFIED_SECONDS", 0.05)
    async with ScriptedExchange(identifies=False) as exchange:
        with pytest.raises(NotConnected, match="does not say whether it takes us"):
            await opened(exchange)


async def test_opening_can_be_cancelled_and_leaves_no_connection():
    async with ScriptedExchange(identifies=False) as exchange:
        opening = asyncio.create_task(opened(exchange))
        heard = await exchange.expect(r.Identify)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        async with asyncio.timeout(WAIT_SECONDS):
            await heard.socket.wait_closed()


async def test_pushes_before_identified_are_kept_for_the_line():
    async with ScriptedExchange(identifies=False) as exchange:
        opening = asyncio.create_task(opened(exchange))
        heard = await exchange.expect(r.Identify)
        await exchange.reply(heard, PUSHED)
        await exchange.reply(heard, f.Identified("ada", "Ada", "c", ["ids"]))
        line, pushed = await opening
        await eventually(lambda: pushed)
        assert [frame.from_ for frame in pushed] == ["bob"]
        await line.close()


# --- requests --------------------------------------------------------------------------------------------------------


async def test_replies_find_their_requests_by_id_in_any_order(exchange):
    line, _ = await opened(exchange)
    one, two = (asyncio.create_task(line.request(asking(id_, id_))) for id_ in ("a1", "a2"))
    first, second = await exchange.expect(r.Ask), await exchange.expect(r.Ask)
    await exchange.reply(second, receipt(second))
    await exchange.reply(first, receipt(first))
    assert [(await task).content for task in (one, two)] == [Raw(b'"a1"'), Raw(b'"a2"')]
    await line.close()


async def test_a_refusal_is_raised(exchange):
    line, _ = await opened(exchange)
    request = asyncio.create_task(line.request(asking()))
    await exchange.refuse(
        await exchange.expect(r.Ask), "Rate limit exceeded. Try again in 2 seconds.", "rate_limited", 1200
    )
    with pytest.raises(RateLimited) as caught:
        await request
    assert caught.value.retry_after_ms == 1200
    await line.close()


async def test_a_message_that_the_exchange_did_not_read_is_refused_to_the_oldest_request(exchange):
    line, _ = await opened(exchange)
    request = asyncio.create_task(line.request(asking()))
    heard = await exchange.expect(r.Ask)
    await exchange.push("ada", f.Error("Message too large", code="too_large"))
    with pytest.raises(TooLarge):
        await request
    assert heard.request.id == "a1"
    await line.close()


async def test_an_answer_is_a_push_and_never_a_reply(exchange):
    line, pushed = await opened(exchange)
    request = asyncio.create_task(line.request(r.Answer(content=QUESTION, to="bob", id="x")))
    heard = await exchange.expect(r.Answer)
    await exchange.push("ada", f.Answered(content=QUESTION, from_="bob", fromNickname="Bob", id="x"))
    await exchange.reply(heard, f.AnswerSent(content=QUESTION, to="Bob"))
    assert isinstance(await request, f.AnswerSent)
    assert [type(frame) for frame in pushed] == [f.Answered]
    await line.close()


async def test_frames_of_no_known_type_are_ignored(exchange):
    line, pushed = await opened(exchange)
    request = asyncio.create_task(line.request(asking()))
    heard = await exchange.expect(r.Ask)
    for unknown in ('{"type":"telepathy","id":"a1"}', "not json", "[" * 100_000, "5", '{"type":"question"}'):
        await heard.socket.send(unknown)
    await heard.socket.send(b'{"type":"gap","since":5}')  # binary, but of this wire
    await exchange.reply(heard, receipt(heard))
    assert isinstance(await request, f.QuestionSent)
    assert pushed == [f.Gap(5)]
    await line.close()


async def test_no_reply_in_time_leaves_open_what_happened_and_the_line_goes_on(exchange):
    line, _ = await opened(exchange)
    with pytest.raises(OutcomeUnknown, match=r"within 0\.05 s"):
        await line.request(asking("a1"), seconds=0.05)
    late = await exchange.expect(r.Ask)
    again = asyncio.create_task(line.request(asking("a2")))
    heard = await exchange.expect(r.Ask)
    await exchange.reply(late, receipt(late))
    await exchange.reply(heard, receipt(heard))
    assert (await again).id == "a2"
    await line.close()


async def test_a_lost_connection_leaves_open_what_happened(exchange):
    line, _ = await opened(exchange)
    request = asyncio.create_task(line.request(asking()))
    await exchange.expect(r.Ask)
    await exchange.drop("ada")
    with pytest.raises(OutcomeUnknown):
        await request
    assert await over(line) == Ended(1006)


async def test_a_request_on_a_line_that_has_ended_was_never_written(exchange):
    line, _ = await opened(exchange)
    await exchange.drop("ada")
    await over(line)
    with pytest.raises(NotConnected):
        await line.request(asking())
    line.send(r.Ack("1-0"))
    assert len(exchange.heard) == 1


async def test_what_was_given_up_before_it_was_written_is_never_written(exchange, monkeypatch):
    line, _ = await opened(exchange)
    gate, write = asyncio.Event(), line._socket.send

    async def slow(data, **options):
        await gate.wait()
        await write(data, **options)

    monkeypatch.setattr(line._socket, "send", slow)
    request = asyncio.create_task(line.request(asking("a1")))
    await eventually(lambda: any(letter.written for letter in line._replies))
    with pytest.raises(NotConnected, match=r"took nothing for 0\.05 s"):
        await line.request(asking("a2"), seconds=0.05)
    gate.set()
    line.send(r.Ack("1-0"))
    heard = await exchange.expect(r.Ask)
    await exchange.expect(r.Ack)
    await exchange.reply(heard, receipt(heard))
    await request
    assert [type(request) for _, request in exchange.heard] == [r.Identify, r.Ask, r.Ack]
    await line.close()


async def test_a_request_can_be_cancelled(exchange):
    line, _ = await opened(exchange)
    request = asyncio.create_task(line.request(asking("a1")))
    late = await exchange.expect(r.Ask)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await exchange.reply(late, receipt(late))
    again = asyncio.create_task(line.request(asking("a2")))
    heard = await exchange.expect(r.Ask)
    await exchange.refuse(heard, "Bob is not connected", "not_connected")
    with pytest.raises(FriendAway):
        await again
    await line.close()


async def test_what_has_no_reply_is_sent_and_not_waited_for(exchange):
    line, _ = await opened(exchange)
    line.send(r.Ack("7-0"))
    assert (await exchange.expect(r.Ack)).request == r.Ack("7-0")
    await line.close()


async def test_everything_posted_is_written_before_a_close(exchange):
    line, _ = await opened(exchange)
    for number in range(50):
        line.send(r.Ack(f"{number}-0"))
    await line.close()
    assert [request.upTo for _, request in exchange.heard[1:]] == [f"{number}-0" for number in range(50)]


# --- plain -----------------------------------------------------------------------------------------------------------


async def test_plain_requests_of_one_type_go_one_after_another(plain):
    line, _ = await opened(plain)
    one, two = (asyncio.create_task(line.request(asking(None, text))) for text in ("1", "2"))
    first = await plain.expect(r.Ask)
    answer = asyncio.create_task(line.request(r.Answer(content=QUESTION)))
    other = await plain.expect(r.Answer)  # another type does not wait
    assert len(plain.heard) == 3
    await plain.reply(first, receipt(first))
    assert (await one).content == Raw(b'"1"')
    await plain.reply(other, f.AnswerSent(content=QUESTION, to="Bob"))
    await answer
    second = await plain.expect(r.Ask)
    await plain.reply(second, receipt(second))
    assert (await two).content == Raw(b'"2"')
    await line.close()


async def test_a_plain_refusal_is_known_by_its_text(plain):
    line, _ = await opened(plain)
    request = asyncio.create_task(line.request(asking(None)))
    await plain.refuse(await plain.expect(r.Ask), "Bob is not connected", "ignored")
    with pytest.raises(FriendAway) as caught:
        await request
    assert (caught.value.text, caught.value.code) == ("Bob is not connected", "")
    await line.close()


async def test_a_plain_reply_that_is_overdue_ends_the_line(plain):
    line, _ = await opened(plain)
    with pytest.raises(OutcomeUnknown):
        await line.request(asking(None), seconds=0.05)
    assert await over(line) == Ended(1006)


async def test_the_reply_to_a_cancelled_plain_request_goes_to_nobody_else(plain):
    line, _ = await opened(plain)
    request = asyncio.create_task(line.request(asking(None, "1")))
    first = await plain.expect(r.Ask)
    request.cancel()
    again = asyncio.create_task(line.request(asking(None, "2")))
    second = await plain.expect(r.Ask)
    await plain.reply(first, receipt(first))
    await plain.reply(second, receipt(second))
    assert (await again).content == Raw(b'"2"')
    await line.close()


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1009, 1011, 1012, 1013, 4000, 4321])
async def test_the_end_is_told_as_the_exchange_said_it(exchange, code):
    line, _ = await opened(exchange)
    await exchange.drop("ada", code, "because")
    assert await over(line) == Ended(code, "because")
    assert await over(line) == Ended(code, "because")


async def test_an_end_of_our_own_is_told_as_such(exchange):
    line, _ = await opened(exchange)
    request = asyncio.create_task(line.request(asking()))
    await exchange.expect(r.Ask)
    await line.close(1001)
    await line.close()
    assert await over(line) == Ended(1001, asked=True)
    with pytest.raises(OutcomeUnknown):
        await request


async def test_who_takes_the_identity_over_displaces_the_line(exchange):
    line, _ = await opened(exchange)
    again, _ = await opened(exchange, tokens=Tokens(line.token))
    assert await over(line) == Ended(1000, "Session continues elsewhere")
    await again.close()


async def test_a_close_over_size_fails_the_largest_message_and_leaves_others_open(exchange):
    line, _ = await opened(exchange)
    small, large = (asyncio.create_task(line.request(asking(id_, id_ * 9))) for id_ in ("s", "large"))
    await exchange.expect(r.Ask)
    await exchange.expect(r.Ask)
    await exchange.drop("ada", 1009, "too much")
    with pytest.raises(TooLarge) as caught:
        await large
    assert (caught.value.text, caught.value.code) == ("too much", "too_large")
    with pytest.raises(OutcomeUnknown):
        await small
    assert (await over(line)).code == 1009


async def test_a_frame_that_is_too_large_for_us_is_no_fault_of_our_messages(monkeypatch, exchange):
    monkeypatch.setattr("magi.client.dialling.FRAME_BYTES_MOST", 1000)
    line, _ = await opened(exchange)
    request = asyncio.create_task(line.request(asking()))
    heard = await exchange.expect(r.Ask)
    await exchange.reply(heard, f.QuestionSent(content=Raw(b'"' + b"x" * 2000 + b'"'), to="Bob"))
    with pytest.raises(OutcomeUnknown):
        await request
    assert (await over(line)).code == 1006


async def test_an_exchange_that_answers_no_ping_is_given_up(monkeypatch):
    monkeypatch.setattr("magi.client.dialling.PING_SECONDS", 0.02)
    monkeypatch.setattr("magi.client.dialling.PONG_SECONDS", 0.02)
    monkeypatch.setattr("magi.client.dialling.CLOSE_SECONDS", 0.02)

    async def deaf(connection):
        await connection.send('{"type":"connected","clientId":"c"}')
        await connection.recv()
        await connection.send('{"type":"identified","username":"ada","nickname":"Ada","clientId":"c"}')
        connection.transport.pause_reading()
        await gone.wait()
        connection.transport.abort()

    gone = asyncio.Event()
    async with serve(deaf, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        line = await Line.open(address, ADA, NONE, on_push=lambda _: None)
        assert await over(line) == Ended(1006, "keepalive ping timeout")
        gone.set()


async def test_the_end_can_be_awaited_by_several_of_whom_one_gives_up(exchange):
    line, _ = await opened(exchange)
    impatient, patient = (asyncio.create_task(line.ended()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await exchange.drop("ada", 1012)
    assert (await patient).code == 1012
    assert impatient.cancelled()


async def test_a_fault_in_the_one_who_takes_pushes_breaks_the_line_and_is_raised(exchange):
    def faulty(_frame: f.Frame) -> None:
        raise LookupError("a fault")

    line = await Line.open(exchange.address, ADA, NONE, on_push=faulty)
    request = asyncio.create_task(line.request(asking()))
    await exchange.expect(r.Ask)
    await exchange.push("ada", PUSHED)
    with pytest.raises(LookupError):
        await over(line)
    with pytest.raises(OutcomeUnknown):
        await request


async def test_a_slow_reader_of_pushes_holds_up_nobody(exchange):
    line, pushed = await opened(exchange)
    for number in range(200):
        await exchange.push("ada", f.Gap(number))
    request = asyncio.create_task(line.request(asking()))
    heard = await exchange.expect(r.Ask)
    await exchange.reply(heard, receipt(heard))
    await request
    assert pushed == [f.Gap(number) for number in range(200)]
    await line.close()


# --- bytes -----------------------------------------------------------------------------------------------------------


def test_what_says_nothing_is_left_out():
    assert encoded(r.Ask(content=Raw(b"null"), to="bob")) == b'{"type":"ask","content":null,"to":"bob"}'
    assert encoded(r.CreateInvite(for_="bob", confirm=False)) == b'{"type":"create_invite","for":"bob","confirm":false}'
    assert encoded(r.Friends()) == b'{"type":"friends"}'


def test_what_is_not_of_this_wire_is_nothing():
    assert decoded('{"type":"gap","since":5}') == f.Gap(5)
    assert decoded(b"\xff") is None
    assert decoded("[" * 100_000) is None
