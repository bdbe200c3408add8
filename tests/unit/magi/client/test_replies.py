"""Twin of ``magi/client/replies.py``: which request a reply belongs to."""

from typing import get_args

import pytest
from msgspec import Raw

from magi.client.errors import OutcomeUnknown
from magi.client.replies import PUSHES, REPLIES, Letter, Replies
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r

SENT = f.QuestionSent(content=Raw(b'"?"'), to="Bob")
ANSWERED = f.AnswerSent(content=Raw(b'"!"'), to="Bob")


def expecting(replies: Replies, *requests: r.Request) -> list[Letter]:
    letters = [Letter(request, b"", written=True) for request in requests]
    for letter in letters:
        replies.add(letter)
    return letters


def test_every_request_but_ack_has_a_reply_and_every_frame_is_a_reply_or_a_push():
    assert set(REPLIES) == set(get_args(r.Request)) - {r.Ack}
    assert {*REPLIES.values(), *PUSHES, f.Error, f.Connected} == set(get_args(f.Frame))
    assert not set(PUSHES) & set(REPLIES.values())


# --- with ids --------------------------------------------------------------------------------------------------------


async def test_an_id_finds_its_request_in_any_order():
    replies = Replies(by_id=True)
    one, two = expecting(replies, r.Ask(id="1"), r.Ask(id="2"))
    assert replies.take(f.QuestionSent(content=Raw(b"1"), to="Bob", id="2")) is two
    assert replies.take(f.Error("no", "1")) is one
    assert list(replies) == []


@pytest.mark.parametrize(
    "frame",
    [
        f.QuestionSent(content=Raw(b"1"), to="Bob", id="other"),
        SENT,
        f.AnswerSent(content=Raw(b"1"), to="Bob", id="1"),
        f.Error("Nothing with this offset was delivered", code="never_delivered"),
        f.Connected("again"),
    ],
)
async def test_a_frame_that_is_no_reply_to_anything_belongs_to_nothing(frame):
    replies = Replies(by_id=True)
    expecting(replies, r.Ask(id="1"))
    assert replies.take(frame) is None


@pytest.mark.parametrize("code", ["too_large", "malformed", "unknown_type"])
async def test_a_refusal_of_a_message_that_was_not_read_is_for_the_oldest(code):
    replies = Replies(by_id=True)
    one, _ = expecting(replies, r.Ask(id="1"), r.Ask(id="2"))
    assert replies.take(f.Error("Message too large", code=code)) is one


async def test_the_identified_of_an_inline_identify_is_not_the_whole_reply():
    replies = Replies(by_id=True)
    [one] = expecting(replies, r.Connect(id="1"))
    assert replies.take(f.Identified("ada", "Ada", "c", id="1")) is None
    assert replies.take(f.ConnectedToFriend("x", f.Friend("bob", "Bob"), id="1")) is one


async def test_who_gave_up_gets_nothing_with_ids():
    replies = Replies(by_id=True)
    one, two = expecting(replies, r.Ask(id="1"), r.Ask(id="2"))
    replies.drop(one)
    replies.drop(one)
    assert replies.take(f.QuestionSent(content=Raw(b"1"), to="Bob", id="1")) is None
    assert list(replies) == [two]


# --- plain -----------------------------------------------------------------------------------------------------------


async def test_plain_replies_belong_to_the_oldest_request_of_their_type():
    replies = Replies(by_id=False)
    ask, answer, again = expecting(replies, r.Ask(), r.Answer(), r.Ask())
    assert replies.take(ANSWERED) is answer
    assert replies.take(SENT) is ask
    assert replies.take(SENT) is again
    assert replies.take(SENT) is None


async def test_a_plain_error_belongs_to_the_oldest_request_of_all():
    replies = Replies(by_id=False)
    ask, answer = expecting(replies, r.Ask(), r.Answer())
    assert replies.take(f.Error("no")) is ask
    assert replies.take(f.Error("no")) is answer


async def test_without_ids_one_that_was_given_up_keeps_its_place_if_it_was_written():
    replies = Replies(by_id=False)
    one, two = expecting(replies, r.Ask(), r.Ask())
    replies.drop(one)
    assert replies.take(SENT) is one
    assert replies.take(SENT) is two
    [three] = expecting(replies, r.Ask())
    three.written = False
    replies.drop(three)
    assert list(replies) == []


# --- letters ---------------------------------------------------------------------------------------------------------


async def test_a_letter_has_one_outcome():
    letter = Letter(r.Ask(), b"")
    letter.settle(SENT)
    letter.settle(OutcomeUnknown())
    assert await letter.reply is SENT
    failed = Letter(r.Ask(), b"")
    failed.settle(OutcomeUnknown())
    with pytest.raises(OutcomeUnknown):
        await failed.reply
