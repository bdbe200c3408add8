"""Resources show what they say, framed, and nothing at any other address (MCP-2, MCP-9)."""

import msgspec
import pytest

from magi.bridge import pages
from magi.bridge.pages import PAGES, NoSuchPage
from magi.daemon.port import Inbox, Item, Waiting
from tests.unit.magi.bridge.fake import MODEL, NASTY, NOTE, OPEN, QUESTION, FakeDesk, harmless


async def read_of(desk: FakeDesk, address: str) -> str:
    """Read a page of a desk."""

    async def find() -> FakeDesk:
        return desk

    return await pages.read(find, MODEL, address)


async def read(address: str, **answers: object) -> str:
    """Read a page of a desk that answers so."""
    return await read_of(FakeDesk(**answers), address)


def test_there_are_summary_friends_help_and_threads():
    assert [page.address for page in PAGES if not page.is_template] == ["magi://inbox", "magi://friends", "magi://help"]
    assert "magi://thread/{id}" in [page.address for page in PAGES if page.is_template]


async def test_the_summary_names_who_waits_and_shows_no_text():
    desk = FakeDesk()
    text = await read_of(desk, "magi://inbox")
    assert text == "magi: 1 question (bob)\nask from bob, id q1"
    assert desk.given("inbox")[0]["peek"] is True
    assert await read("magi://inbox", inbox=Inbox((), Waiting())) == "Nothing waits."


async def test_a_thread_is_found_by_the_id_of_anything_in_it():
    reply = Item("r1", "bob", "answer", "Because.", 30, reply_to="a1")
    record = (QUESTION, OPEN, NOTE, reply)
    assert "Which Redis?" in await read("magi://thread/t1", history=record)
    text = await read("magi://thread/a1", history=record)
    assert text.startswith("You wrote to bob (queued):\nWhy?\n\nFrom bob (")
    assert "Because." in text
    assert "Done." not in text


async def test_the_record_is_read_as_the_model_that_it_is_shown_to():
    desk = FakeDesk()
    await read_of(desk, "magi://thread/q1")
    assert desk.given("history")[0]["caller"] == MODEL


async def test_a_long_text_is_read_in_parts():
    long = msgspec.structs.replace(QUESTION, text="a" * 8_000 + "b" * 8_000 + "the end")
    assert "bbb" in await read("magi://text/q1/2", history=(long,))
    text = await read("magi://text/q1/3", history=(long,))
    assert text.startswith("Part 3 of 3.\nFrom bob (")
    assert "the end" in text
    for part in ("0", "4", "x"):
        with pytest.raises(NoSuchPage):
            await read(f"magi://text/q1/{part}", history=(long,))


@pytest.mark.parametrize(
    "address", ["magi://", "magi://inbox/1", "magi://thread/", "magi://thread/none", "file:///etc"]
)
async def test_there_is_nothing_elsewhere(address):
    with pytest.raises(NoSuchPage):
        await read(address)


async def test_what_a_friend_wrote_does_nothing_on_any_page():
    item = Item(NASTY, NASTY, "ask", NASTY, 1, thread="t1", reply_to=NASTY)
    foreign = msgspec.structs.replace(item, kind="foreign")
    desk = FakeDesk(inbox=Inbox((item,), Waiting(questions=(NASTY,))), history=(item, foreign))
    for address in ("magi://inbox", "magi://friends", "magi://help", "magi://thread/t1"):
        assert harmless(await read_of(desk, address))
