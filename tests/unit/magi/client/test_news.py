"""Twin of ``magi/client/news.py``."""

import asyncio

import pytest

from magi.client.bells import Bells
from magi.client.errors import Displaced
from magi.client.model import Event
from magi.client.news import UNREAD_COUNT, News
from tests.harness.waiting import WAIT_SECONDS


async def test_every_listener_hears_everything_from_when_it_began():
    news = News(Bells())
    one = news.listen()
    news.tell(Event("connected"))
    two = news.listen()
    news.tell(Event("gap"))
    async with asyncio.timeout(WAIT_SECONDS):
        assert [(await anext(one)).kind, (await anext(one)).kind] == ["connected", "gap"]
        assert (await anext(two)).kind == "gap"


async def test_the_rest_is_heard_after_the_end_and_then_why():
    bells = Bells()
    news = News(bells)
    heard = news.listen()
    news.tell(Event("displaced"))
    bells.end(Displaced())
    assert (await anext(heard)).kind == "displaced"
    with pytest.raises(Displaced):
        await anext(heard)


async def test_one_who_does_not_read_loses_the_oldest():
    news = News(Bells())
    heard = news.listen()
    for n in range(UNREAD_COUNT + 1):
        news.tell(Event("gap", detail=str(n)))
    assert (await anext(heard)).detail == "1"


async def test_a_listener_that_is_closed_is_told_nothing_more():
    news = News(Bells())
    heard = news.listen()
    news.tell(Event("gap"))
    await anext(heard)
    await heard.aclose()
    assert news._listeners == []
