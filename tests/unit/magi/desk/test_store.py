"""The store of one profile. What it promises of messages is in tests/contract/test_client_store.py; here is that it is a file."""

import asyncio
import random
import sqlite3
import sys

import pytest

from magi.client.errors import ProfileError
from magi.client.model import Tokens
from magi.client.states import State
from magi.desk.ports import DeskStore, Mode, Person
from magi.desk.store import SqliteStore
from tests.harness import killed_desk
from tests.harness.desks import StandingClock, our_answer, theirs

KILLED_SECONDS = 100


def tables(path):
    """Return every row of every table."""
    connection = sqlite3.connect(path)
    try:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        ]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    finally:
        connection.close()


async def do_all(place, done=()):
    """Check what a child left in a directory, do the work there, and return everything that is then kept."""
    store = SqliteStore(place / "magi.db", now_ms=StandingClock())
    await store.open()
    try:
        await check(store, done)
        async for _ in killed_desk.work(store):
            pass
    finally:
        await store.close()
    return tables(place / "magi.db"), (place / "token.json").read_bytes()


async def check(store, done):
    """Check what holds at every moment, and that nothing is missing of what was said to be done."""
    tokens = await store.tokens()
    assert tokens in (Tokens(), Tokens("t1"), Tokens("t2", "t1"))
    assert tokens.current == "t2" or "token 2" not in done
    left = {row.id: row for row in await store.audit.left()}
    sent = {one.id: one for one in await store.record.history() if hasattr(one, "to")}
    for message in sent.values():
        gone = message.state not in (State.HELD_HERE, State.WITHDRAWN)
        assert (message.id in left) is gone  # nothing leaves without its row, and no row without what left
        question = await store.incoming(message.to, message.reply_to)
        if question is not None:
            assert (question.settled == "answered") is gone
    for draft in await store.drafts.held():
        assert draft.question.settled == ""
    ask, answer = await store.out("a4"), await store.answer_to("a4")
    assert (answer is not None) is (ask is not None and ask.state is State.ANSWERED)
    carol = await store.ledger.person("carol")
    if carol.blocked:
        assert carol.mode is Mode.ASK
        assert (await store.incoming("carol", "c1")).text == ""
    expected = {"answered": "a1", "held": "a2", "dropped": "a3", "asked": "a4"}
    assert not [id_ for said, id_ in expected.items() if said in done and id_ not in sent]
    if "released" in done:
        assert (left["a2"].text, left["a2"].by) == ("Edited.", "owner")


async def test_it_promises_what_the_daemon_is_written_against(tmp_path):
    store: DeskStore = SqliteStore(tmp_path / "magi.db")
    assert store.durable


@pytest.mark.timeout(240)  # some 170 stores, each on the disk at every commit
async def test_killed_at_any_step_it_is_whole_and_the_work_can_be_repeated(tmp_path):
    """CLI-25: whatever was said to be done is there, nothing is half there, and repeating leads to where it would have led."""
    killed = tmp_path / "killed"
    killed.mkdir()
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.harness.killed_desk", str(killed))
    try:
        assert await asyncio.wait_for(child.wait(), KILLED_SECONDS) == 0
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    (whole := tmp_path / "whole").mkdir(0o700)
    wanted = await do_all(whole)
    places = sorted(killed.iterdir())
    assert len(places) > 100
    for place in places:
        done = (place / "done").read_text().split("\n") if (place / "done").exists() else []
        assert await do_all(place, done) == wanted, place


async def test_killed_while_writing_as_fast_as_it_can_nothing_that_was_done_is_lost(tmp_path):
    """CLI-18: at random moments, again and again on the same file."""
    chance = random.Random(8)
    path = tmp_path / "magi.db"
    known = 0
    for _ in range(6):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITE, str(path), str(known)), stdout=asyncio.subprocess.PIPE
        )
        try:
            for _ in range(chance.randint(1, 40)):
                known = int(await asyncio.wait_for(child.stdout.readline(), 15))
        finally:
            child.kill()
            rest = await child.communicate()
        known = max([known, *map(int, rest[0].split())])
        store = SqliteStore(path)
        await store.open()
        try:
            for number in range(1, known + 2):
                answer, question = await store.out(f"a{number}"), await store.incoming("bob", f"b{number}")
                assert answer is not None or number > known
                assert (question is not None and question.settled == "answered") is (answer is not None)
            assert len(await store.audit.left(limit=10_000)) in (known, known + 1)
        finally:
            await store.close()


WRITE = """
import asyncio, sys
from pathlib import Path
from magi.desk.store import SqliteStore
from tests.harness.desks import our_answer, theirs

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    number = int(sys.argv[2])
    while True:
        number += 1
        await store.put_in(theirs(f"b{number}"))
        await store.put_out(our_answer(f"a{number}", f"b{number}"))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_everything_outlives_the_process(tmp_path):
    store = SqliteStore(tmp_path / "magi.db")
    await store.open()
    await store.put_in(theirs())
    await store.put_out(our_answer())
    await store.keep_token("t1")
    await store.ledger.set_petname("bob", "bobby")
    await store.close()
    again = SqliteStore(tmp_path / "magi.db")
    await again.open()
    try:
        assert again.journal == "wal"
        assert [one.id for one in await again.unsent()] == ["a9"]
        assert (await again.incoming("bob", "b1")).settled == "answered"
        assert await again.tokens() == Tokens("t1")
        assert await again.ledger.person("bob") == Person("bob", "bobby")
    finally:
        await again.close()


async def test_tokens_are_not_in_the_database(tmp_path):
    store = SqliteStore(tmp_path / "magi.db")
    await store.open()
    await store.keep_token("very-secret-token")
    await store.close()
    assert b"very-secret-token" not in (tmp_path / "magi.db").read_bytes()
    assert b"very-secret-token" in (tmp_path / "token.json").read_bytes()


async def test_a_store_whose_tokens_others_can_read_gives_none(store, tmp_path):
    await store.keep_token("t1")
    (tmp_path / "token.json").chmod(0o644)
    with pytest.raises(ProfileError, match="chmod 600"):
        await store.tokens()


async def test_of_two_who_answer_at_the_same_time_one_does(store):
    await store.put_in(theirs())
    both = await asyncio.gather(*(store.put_out(our_answer(f"a{n}")) for n in range(10)), return_exceptions=True)
    assert [one for one in both if one is True] == [True]
    assert len(await store.unsent()) == 1
