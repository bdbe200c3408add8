"""One file of SQLite on one thread (CLI-18)."""

import asyncio
import os
import sqlite3
import threading

import pytest

from magi.client.errors import AlreadySettled, ProfileError
from magi.desk import database as module
from magi.desk.database import Database
from tests.harness.desks import StandingClock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "magi.db"


@pytest.fixture
async def database(path):
    opened = Database(path, StandingClock())
    await opened.open()
    yield opened
    await opened.close()


def put(connection, key, fault=None):
    connection.execute("INSERT INTO meta VALUES (?, 1)", (key,))
    if fault is not None:
        raise fault
    return key


def keys(connection):
    return [key for (key,) in connection.execute("SELECT key FROM meta WHERE key != 'version' ORDER BY key")]


def pragma(name):
    return lambda connection: connection.execute(f"PRAGMA {name}").fetchone()[0]


async def test_it_is_set_up_to_lose_and_to_leave_nothing(database):
    assert await database.read(pragma("journal_mode")) == "wal"
    assert await database.read(pragma("synchronous")) == 2
    assert await database.read(pragma("secure_delete")) == 1
    assert await database.read(pragma("busy_timeout")) == 5000


async def test_what_was_deleted_is_not_in_the_file(database, path):
    await database.change(put, "very secret words")
    await database.change(lambda connection: connection.execute("DELETE FROM meta WHERE key LIKE 'very%'"))
    await database.close()
    assert b"very secret words" not in path.read_bytes()


async def test_all_files_are_for_their_owner_only(path):
    before = os.umask(0)
    database = Database(path, StandingClock())
    try:
        await database.open()
        await database.change(put, "a")
        modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    finally:
        os.umask(before)
        await database.close()
    assert modes == {"magi.db": 0o600, "magi.db-wal": 0o600, "magi.db-shm": 0o600}


@pytest.mark.parametrize("beside", ["", "-wal"])
async def test_a_file_that_others_can_read_is_refused(path, beside):
    opened = path.with_name(path.name + beside)
    opened.touch()
    opened.chmod(0o644)
    with pytest.raises(ProfileError, match=rf"chmod 600 {opened}"):
        await Database(path, StandingClock()).open()


async def test_a_change_that_fails_changes_nothing(database):
    for fault in (AlreadySettled(), KeyError("x"), asyncio.CancelledError()):
        with pytest.raises(type(fault)):
            await database.change(put, "a", fault)
    assert await database.read(keys) == []
    assert await database.change(put, "b") == "b"
    assert await database.read(keys) == ["b"]


async def test_all_work_is_done_on_one_thread_which_is_not_the_callers(database):
    threads = set(await asyncio.gather(*(database.read(lambda _: threading.get_ident()) for _ in range(20))))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_work_is_done_in_the_order_in_which_it_was_given(database):
    done = []
    await asyncio.gather(*(database.change(lambda _, number=number: done.append(number)) for number in range(50)))
    assert done == list(range(50))


async def test_a_cancelled_change_is_done_entirely_or_not_at_all(database):
    begun, go = threading.Event(), threading.Event()

    def slow(connection):
        put(connection, "a")
        begun.set()
        assert go.wait(10)
        put(connection, "b")

    running = asyncio.create_task(database.change(slow))
    waiting = asyncio.create_task(database.change(put, "c"))
    await asyncio.to_thread(begun.wait, 10)
    for task in (running, waiting):
        task.cancel()
    go.set()
    await asyncio.gather(running, waiting, return_exceptions=True)
    assert await database.read(keys) == ["a", "b"]


async def test_closing_waits_for_what_was_begun(path):
    database = Database(path, StandingClock())
    await database.open()
    change = asyncio.create_task(database.change(put, "a"))
    await asyncio.sleep(0)
    await database.close()
    assert await change == "a"
    await database.open()
    assert await database.read(keys) == ["a"]
    await database.close()


async def test_closing_twice_does_nothing_more_and_nothing_works_after_it(database):
    await database.close()
    await database.close()
    with pytest.raises(RuntimeError, match="not open"):
        await database.read(keys)


async def test_opening_twice_is_a_mistake(database):
    with pytest.raises(RuntimeError, match="open already"):
        await database.open()


async def test_a_failed_opening_leaves_no_thread(path):
    path.write_bytes(b"no database at all, and longer than a header of one would be")
    path.chmod(0o600)
    with pytest.raises(ProfileError):
        await Database(path, StandingClock()).open()
    for thread in threading.enumerate():
        if thread.name.startswith("magi-store"):
            thread.join(10)
            assert not thread.is_alive()


async def test_a_damaged_file_is_refused_with_what_to_do_and_kept(path):
    database = Database(path, StandingClock())
    await database.open()
    for number in range(200):
        await database.change(put, f"{number:0100}")
    await database.close()
    whole = bytearray(path.read_bytes())
    whole[4096 : len(whole) - 4096 : 7] = b"x" * len(whole[4096 : len(whole) - 4096 : 7])
    path.write_bytes(whole)
    with pytest.raises(ProfileError, match=r"is damaged .*Nothing was deleted.*mkdir -m 700 .* && mv .*magi\.db\* "):
        await database.open()
    assert path.read_bytes() == whole


async def test_a_file_that_is_no_database_is_refused_and_kept(path):
    path.write_bytes(b"not a database" * 100)
    path.chmod(0o600)
    with pytest.raises(ProfileError, match="is damaged"):
        await Database(path, StandingClock()).open()
    assert path.read_bytes() == b"not a database" * 100


async def test_the_repairing_command_repairs(path):
    path.write_bytes(b"not a database" * 100)
    path.chmod(0o600)
    database = Database(path, StandingClock())
    with pytest.raises(ProfileError) as refusal:
        await database.open()
    command = str(refusal.value).partition("start with an empty one: ")[2]
    shell = await asyncio.create_subprocess_shell(command)
    assert await shell.wait() == 0
    await database.open()
    await database.close()
    assert (path.parent / "damaged/magi.db").exists()


async def test_a_newer_file_is_refused_and_named(path):
    database = Database(path, StandingClock())
    await database.open()
    await database.change(lambda connection: connection.execute("PRAGMA user_version = 99"))
    await database.close()
    with pytest.raises(ProfileError, match=rf"{path} cannot be used.*was written by magi"):
        await database.open()


async def test_another_who_writes_for_too_long_is_a_fault_and_no_loss(database, path, monkeypatch):
    await database.read(lambda connection: connection.execute("PRAGMA busy_timeout = 0"))
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProfileError, match=r"database is locked\. Nothing was changed"):
            await database.change(put, "a")
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert await database.change(put, "a") == "a"


async def test_a_full_disk_is_a_fault_and_no_loss(database):
    await database.change(put, "a")
    pages = await database.read(pragma("page_count"))
    await database.read(pragma(f"max_page_count = {pages}"))
    with pytest.raises(ProfileError, match="full"):
        await database.change(lambda connection: [put(connection, f"{number:01000}") for number in range(1000)])
    assert await database.read(keys) == ["a"]


async def test_a_mistake_of_ours_is_not_blamed_on_the_file(database):
    await database.change(put, "a")
    with pytest.raises(sqlite3.IntegrityError):
        await database.change(put, "a")


async def test_a_file_system_without_a_shared_log_gets_the_classic_journal_and_a_warning(path, monkeypatch, caplog):
    real = sqlite3.connect

    def without_shared_memory(file, **options):
        return real(f"file:{file}?vfs=unix-dotfile", uri=True, **options)

    monkeypatch.setattr(module.sqlite3, "connect", without_shared_memory)
    database = Database(path, StandingClock())
    await database.open()
    assert database.journal == "delete"
    assert "without WAL" in caplog.text
    assert await database.change(put, "a") == "a"
    await database.close()
