"""``magi doctor``: where it stops, and what it says there."""

import contextlib
import json

import pytest
from msgspec.structs import replace

from magi import __version__
from magi.cli import reach, roundtrip
from magi.cli.finding import Finding
from magi.cli.statuses import Status
from magi.daemon import start
from magi.daemon.port import DaemonAway
from magi.desk.profile import Profile
from tests.harness.fake_desk import STATUS, FakeDesk
from tests.unit.magi.cli.setup.homes import home_of

SECRET = ("alice", "bob", "example.com", "tea")


class World:
    """Everything behind the settings, as a test wants it."""

    def __init__(self):
        self.desk = FakeDesk()
        self.broken_servers = set()
        self.round_trips = []
        self.daemon = None


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A user with a profile, and a world where all is well."""
    made = World()

    async def links(address, number):
        broken = number in made.broken_servers
        yield Finding("tcp", f"{address} {broken}", Status.AWAY if broken else Status.DONE, facts={"server": number})

    async def trip(*given):
        made.round_trips.append(given)
        return Finding("round_trip", "there and back")

    @contextlib.asynccontextmanager
    async def desk(*_, **options):
        assert options["direct"]
        yield made.desk

    async def find(_):
        if made.daemon is None:
            raise DaemonAway
        return made.daemon

    monkeypatch.setattr(reach, "links", links)
    monkeypatch.setattr(roundtrip, "round_trip", trip)
    monkeypatch.setattr(start, "desk", desk)
    monkeypatch.setattr(start, "find", find)
    monkeypatch.setenv("HOME", str(tmp_path / "tea"))
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "MAGI_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAGI_HOME", str(tmp_path / "home"))
    Profile.create({"username": "alice@example.com", "servers": ("a.example.com", "b.example.com")})
    return made


def found(magi, *argv):
    """Run it and return the status, and the links with whether each is fine."""
    status, out, _ = magi("doctor", "--json", *argv)
    lines = [json.loads(line) for line in out.splitlines()]
    assert not [word for word in SECRET if word in out]
    return status, [(line["link"], line["ok"]) for line in lines]


ALL = ["files", "settings", "tcp", "tcp", "identity", "features", "round_trip", "daemon", "clients"]


def test_where_all_is_well_every_link_is_tested(magi, world):
    assert found(magi) == (0, [(link, True) for link in ALL])
    status, out, _ = magi("doctor")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines() if line[:2] in {"ok", "--"}] == ALL
    assert "alice@example.com" in out
    assert world.round_trips[0][2] == STATUS.server


def test_without_a_profile_it_stops_at_once(magi):
    assert found(magi) == (9, [("files", False)])
    assert "magi register -u NAME" in magi("doctor")[1]


def test_files_that_others_can_read_are_named_and_repaired_on_demand(magi, world, tmp_path):
    key = tmp_path / "home/data/default/identity.key"
    key.chmod(0o644)
    assert found(magi) == (9, [("files", False)])
    _, out, _ = magi("doctor")
    assert "chmod 600" in out
    assert "magi doctor --fix" in out
    assert found(magi, "--fix")[0] == 0
    assert key.stat().st_mode & 0o777 == 0o600


def test_settings_that_make_no_sense_stop_it(magi, world, tmp_path):
    (tmp_path / "home/config/default/config.toml").write_text("servers = 7")
    assert found(magi) == (9, [("files", True), ("settings", False)])


def test_one_exchange_that_is_away_is_told_and_the_other_is_enough(magi, world):
    world.broken_servers = {1}
    status, out, _ = magi("doctor")
    assert status == 0
    assert "--  tcp         wss://a.example.com/ True" in out
    world.broken_servers = {1, 2}
    status, links = found(magi)
    assert (status, links[-1]) == (8, ("tcp", False))
    assert len(links) == 4


@pytest.mark.parametrize(
    ("standing", "status"),
    [
        ({"connection": "refused", "detail": "Username already taken", "server": ""}, 7),
        ({"connection": "displaced", "server": ""}, 8),
    ],
)
def test_an_identity_that_is_not_ours_stops_it(magi, world, standing, status):
    world.desk.says["status"] = replace(STATUS, **standing)
    ended, links = found(magi)
    assert (ended, links[-1]) == (status, ("identity", False))
    assert world.round_trips == []


def test_a_daemon_that_cannot_be_had_stops_it(magi, world):
    world.desk.says["status"] = DaemonAway("The magi daemon did not get ready.")
    assert found(magi)[1][-1] == ("identity", False)


def test_friends_of_a_plain_exchange_are_not_made_for_a_test(magi, world):
    world.desk.says["status"] = replace(STATUS, granted=())
    status, links = found(magi)
    assert (status, ("round_trip", True) in links) == (0, True)
    assert world.round_trips == []


@pytest.mark.parametrize(("version", "status"), [(__version__, 0), ("0.0.9", 1)])
def test_a_daemon_of_another_version_stops_it(magi, world, version, status):
    world.daemon = FakeLine(version)
    ended, links = found(magi)
    assert (ended, ("daemon", not status) in links) == (status, True)
    assert world.daemon.closed


class FakeLine:
    """A line to a daemon of a version."""

    def __init__(self, version):
        self.welcome = type("Welcome", (), {"version": version})
        self.closed = False

    async def close(self):
        self.closed = True


def test_a_client_that_is_not_wired_is_told_and_a_half_wired_one_stops_it(magi, world, monkeypatch, tmp_path):
    home = home_of("codex", tmp_path)
    monkeypatch.setenv("HOME", str(home.path))
    status, out, _ = magi("doctor")
    assert status == 0
    assert "To wire it: magi setup codex" in out
    magi("setup", "codex")
    assert "codex is wired" in magi("doctor")[1]
    (home.path / ".codex/hooks.json").unlink()
    status, out, _ = magi("doctor")
    assert status == 1
    assert "!!  clients     codex is wired in part" in out
