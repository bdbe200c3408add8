"""The tables of a store, and how an older file becomes a present one (CLI-18)."""

import sqlite3

import pytest

from magi import __version__
from magi.client.errors import ProfileError
from magi.desk import schema


@pytest.fixture
def connection(tmp_path):
    opened = sqlite3.connect(tmp_path / "magi.db", isolation_level=None)
    yield opened
    opened.close()


def version(connection):
    return connection.execute("PRAGMA user_version").fetchone()[0]


def test_an_empty_file_gets_all_tables(connection):
    schema.bring_up(connection)
    assert version(connection) == len(schema.MIGRATIONS)
    assert connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() == (__version__,)
    schema.bring_up(connection)  # a second time changes nothing


def test_an_older_file_goes_forward_and_keeps_what_is_in_it(connection, monkeypatch):
    schema.bring_up(connection)
    connection.execute("INSERT INTO grants VALUES ('bob', '', 5)")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE grants ADD COLUMN why TEXT;"))
    schema.bring_up(connection)
    assert version(connection) == len(schema.MIGRATIONS)
    assert connection.execute("SELECT * FROM grants").fetchall() == [("bob", "", 5, None)]


def test_a_migration_that_fails_leaves_the_file_as_it_was(connection, monkeypatch):
    schema.bring_up(connection)
    before = connection.execute("SELECT sql FROM sqlite_schema").fetchall()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (x); SELECT nonsense;"))
    with pytest.raises(sqlite3.OperationalError):
        schema.bring_up(connection)
    assert not connection.in_transaction
    assert version(connection) == len(schema.MIGRATIONS) - 1
    assert connection.execute("SELECT sql FROM sqlite_schema").fetchall() == before


def test_a_newer_file_is_refused_with_the_version_that_reads_it(connection):
    schema.bring_up(connection)
    connection.execute("UPDATE meta SET value = '9.8.7' WHERE key = 'version'")
    connection.execute("PRAGMA user_version = 999")
    with pytest.raises(ProfileError, match=r"magi 9\.8\.7"):
        schema.bring_up(connection)
    assert version(connection) == 999


def test_a_database_of_somebody_else_is_refused(connection):
    connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ProfileError, match="not one of magi"):
        schema.bring_up(connection)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
