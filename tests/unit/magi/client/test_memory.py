"""Twin of ``magi/client/memory.py``; what it promises is proved in ``tests/contract/test_client_store.py``."""

from magi.client.memory import SETTLES, MemoryStore
from magi.client.model import Incoming, Kind


async def test_it_keeps_nothing_beyond_the_process():
    assert MemoryStore.durable is False
    one, two = MemoryStore(), MemoryStore()
    await one.put_in(Incoming("b1", "bob", "Bob", Kind.ASK, "Tea?", 0))
    assert await two.inbox() == []


def test_only_answers_and_declines_settle():
    assert set(SETTLES) == {Kind.ANSWER, Kind.DECLINE}
