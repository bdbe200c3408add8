"""``register``, ``status``."""

import json

import pytest
from msgspec.structs import replace

from magi.cli.identity import fault_of
from magi.client.errors import Displaced, NameTaken, NotConnected, TokenRefused
from magi.daemon.port import Waiting
from magi.desk.profile import Profile
from tests.harness.fake_desk import STATUS

REGISTER = ("register", "-u", "alice@example.com", "-s", "127.0.0.1:8082", "--nickname", "Alice")


def test_a_name_is_registered_once_the_exchange_has_taken_it(magi, desk, monkeypatch):
    monkeypatch.setattr("magi.cli.watch.LOOK_SECONDS", 0)
    answers = iter([replace(STATUS, connection="connecting"), STATUS])

    async def status():
        return next(answers)

    monkeypatch.setattr(desk, "status", status, raising=False)
    ended, out, err = magi(*REGISTER)
    assert (ended, out) == (0, "You are alice@example.com at ws://127.0.0.1:8082/.\n")
    assert "Next: magi invite" in err
    assert desk.started
    profile = Profile.load()
    assert (profile.username, profile.nickname, profile.servers) == (
        "alice@example.com",
        "Alice",
        ("ws://127.0.0.1:8082/",),
    )


@pytest.mark.parametrize(
    ("connection", "detail", "status", "words"),
    [
        ("refused", "Username already taken", 7, "Username already taken The profile default is made"),
        ("connecting", "no route", 8, "the name is not yours yet. Look at the network"),
        ("displaced", "", 8, "Another connection uses this name now"),
    ],
)
def test_a_name_that_is_not_ours_yet_says_why(magi, desk, monkeypatch, connection, detail, status, words):
    monkeypatch.setattr("magi.cli.identity.CLAIM_SECONDS", 0)
    desk.says["status"] = replace(STATUS, connection=connection, detail=detail)
    ended, out, err = magi(*REGISTER)
    assert (ended, out) == (status, "")
    assert words in err


@pytest.mark.usefixtures("desk")
def test_without_a_name_nothing_is_registered(magi):
    status, _, err = magi("register", "-s", "127.0.0.1")
    assert status == 9
    assert "needs a username" in err
    assert "Nothing was registered." in err


def test_why_we_are_not_connected_is_an_error_by_its_text():
    assert isinstance(fault_of(replace(STATUS, connection="refused", detail="Username already taken")), NameTaken)
    assert isinstance(fault_of(replace(STATUS, connection="refused")), TokenRefused)
    assert isinstance(fault_of(replace(STATUS, connection="displaced")), Displaced)
    assert isinstance(fault_of(replace(STATUS, connection="connecting")), NotConnected)


def test_the_status_says_who_where_and_what_waits(magi, desk):
    status, out, _ = magi("status")
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert status == 0
    assert lines["you"] == "alice@example.com (Alice), profile default"
    assert lines["exchange"] == "ws://127.0.0.1:8082/, connected"
    assert lines["waiting"].startswith("2 questions (bob)")
    assert lines["missing"].startswith("presence")
    assert lines["careful"] == "not encrypted on the way to the exchange"
    assert not desk.started


def test_the_status_names_what_is_not_as_it_should_be(magi, desk, monkeypatch):
    monkeypatch.setattr("magi.cli.identity.GLANCE_SECONDS", 0)
    desk.says["status"] = replace(
        STATUS, connection="connecting", detail="no route", paused=True, durable=False, granted=(), waiting=Waiting()
    )
    status, out, _ = magi("status")
    assert status == 8
    assert "connecting (no route)" in out
    assert "magi pause --off" in out
    assert "nothing is kept when this process ends" in out
    assert "a plain exchange" in out


@pytest.mark.usefixtures("desk")
def test_the_status_for_programs_is_one_object(magi):
    _, out, _ = magi("status", "--json")
    said = json.loads(out)
    assert (said["type"], said["connection"], said["waiting"]["held"]) == ("status", "connected", 1)


def test_every_setting_is_shown_with_where_it_comes_from(magi, monkeypatch):
    # CLI-20
    monkeypatch.setenv("MAGI_USERNAME", "carol@example.com")
    monkeypatch.setenv("MAGI_NONSENSE", "1")
    status, out, err = magi("status", "--settings", "-s", "127.0.0.1", "--json")
    rows = {row["name"]: row for row in map(json.loads, out.splitlines())}
    assert status == 0
    assert rows["servers"] == {
        "type": "setting",
        "name": "servers",
        "value": "ws://127.0.0.1:8082/",
        "origin": "flag --server",
    }
    assert rows["username"]["origin"] == "environment MAGI_USERNAME"
    assert rows["nickname"]["origin"] == "default"
    assert "MAGI_NONSENSE" in err
