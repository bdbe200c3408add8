import os

import pytest

from magi.cli.told import IDS_MOST, KEPT_SECONDS, Told, forget_old


@pytest.fixture
def told(tmp_path):
    """The same session, as each hook of it finds it."""

    def again(client="codex", session="s1"):
        return Told(tmp_path / "sessions", client, session)

    return again


def goes_on(told, *keys):
    """A turn ends; what is known of it is kept."""
    known = told()
    result = known.goes_on(keys)
    known.keep()
    return result


def test_a_turn_goes_on_once_for_each_set_of_items(told):
    assert goes_on(told, "bob q1")
    assert not goes_on(told, "bob q1")
    assert goes_on(told, "bob q2", "bob q1")
    assert not goes_on(told, "bob q1", "bob q2")
    assert not goes_on(told)


def test_a_turn_goes_on_at_most_twice_in_a_row(told):
    # CLI-43; CLI-44: clients count otherwise
    said = [goes_on(told, f"bob q{n}") for n in range(7)]
    assert said == [True, True, False, True, True, False, True]


def test_a_person_who_acts_ends_the_row(told):
    assert goes_on(told, "q1")
    assert goes_on(told, "q2")
    known = told()
    known.acted()
    known.keep()
    assert goes_on(told, "q3")


def test_an_item_is_news_once(told):
    known = told()
    assert known.mention({"bob q1"})
    known.keep()
    assert not told().mention({"bob q1"})
    assert told().mention({"bob q1", "bob q2"})
    assert goes_on(told, "bob q3")
    assert not told().mention({"bob q3"})


def test_sessions_and_clients_do_not_share_what_they_know(told):
    goes_on(told, "q1")
    assert told(session="s2").goes_on({"q1"})
    assert told(client="gemini").goes_on({"q1"})


def test_only_the_owner_can_read_it_and_it_holds_no_session_name_in_its_path(told, tmp_path):
    goes_on(told, "q1")
    (file,) = (tmp_path / "sessions").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert Told(tmp_path / "sessions", "codex", "../../etc").goes_on({"q"})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ids": 1, "sets": [], "in_a_row": 0}'])
def test_a_damaged_file_is_as_good_as_none(told, tmp_path, text):
    goes_on(told, "q1")
    (file,) = (tmp_path / "sessions").iterdir()
    file.write_text(text)
    assert goes_on(told, "q1")


def test_what_is_known_is_bounded(told):
    known = told()
    known.mention([f"q{n}" for n in range(IDS_MOST + 5)])
    assert known.mention({"q0"})
    assert not known.mention({f"q{IDS_MOST}"})


def test_sessions_that_have_been_silent_for_long_are_forgotten(told, tmp_path):
    goes_on(told, "q1")
    (file,) = (tmp_path / "sessions").iterdir()
    os.utime(file, (1000.0, 1000.0))
    forget_old(tmp_path / "sessions", now=1000.0 + KEPT_SECONDS)
    assert file.exists()
    forget_old(tmp_path / "sessions", now=1001.0 + KEPT_SECONDS)
    assert not file.exists()
    forget_old(tmp_path / "none")
