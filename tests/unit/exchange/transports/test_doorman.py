"""Who may become a WebSocket."""

import pytest

from exchange.front import Refusal, SocketRules, Upgrade, Welcome
from exchange.transports.doorman import RETRY_SECONDS, Doorman, Wire

RULES = SocketRules(message_bytes=1, outer_bytes=2)
PAGE = "https://magi.example"


class Rig:
    def __init__(self, *origins: str) -> None:
        self.connections_count = 0
        self.counted: list[tuple[str, str]] = []
        self.doorman = Doorman(
            [
                Wire("old", lambda path: path in {"/", "/bx"}, RULES, lambda upgrade: ("old", upgrade)),
                Wire("new", lambda path: path == "/new", RULES, lambda upgrade: ("new", upgrade)),
                Wire("any", lambda path: path == "/any", RULES, lambda upgrade: ("any", upgrade), any_origin=True),
            ],
            origins=frozenset(origins),
            connections_count=lambda: self.connections_count,
            connections_most=2,
            count=lambda *what: self.counted.append(what),
        )

    def knock(self, path: str = "/", origin: str | None = None) -> Welcome | Refusal:
        return self.doorman(Upgrade(path, origin, "192.0.2.1"))

    def refused(self, **changes: str) -> int:
        answer = self.knock(**changes)
        assert isinstance(answer, Refusal)
        return answer.status


@pytest.fixture
def rig() -> Rig:
    return Rig(PAGE)


@pytest.mark.parametrize(("path", "dialect"), [("/", "old"), ("/bx", "old"), ("/new", "new")])
def test_the_path_decides_which_wire_is_spoken(rig, path, dialect):
    upgrade = Upgrade(path, None, "192.0.2.1")
    assert rig.doorman(upgrade) == Welcome((dialect, upgrade), RULES)
    assert rig.counted == [(dialect, "ok")]


def test_another_path_is_not_there(rig):
    assert rig.refused(path="/elsewhere") == 404
    assert rig.counted == [("old", "path")]


def test_a_program_without_an_origin_may_connect(rig):
    assert isinstance(rig.knock(), Welcome)


def test_pages_of_a_listed_origin_may_connect_in_any_case(rig):
    assert isinstance(rig.knock(origin="HTTPS://Magi.Example"), Welcome)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", PAGE + ".evil.example", PAGE + ":8443"])
def test_pages_of_other_origins_may_not(rig, origin):
    assert rig.refused(origin=origin) == 403
    assert rig.counted == [("old", "origin")]


def test_without_a_list_any_page_may_connect():
    assert isinstance(Rig().knock(origin="https://evil.example"), Welcome)


def test_a_wire_may_be_open_to_any_page(rig):
    # CORAL-1
    assert isinstance(rig.knock("/any", "https://evil.example"), Welcome)
    assert isinstance(rig.knock("/any"), Welcome)
    assert rig.refused(path="/new", origin="https://evil.example") == 403


def test_a_draining_node_refuses_and_says_when_to_come_again(rig):
    rig.doorman.draining = True
    answer = rig.knock()
    assert (answer.status, answer.retry_after_seconds) == (503, RETRY_SECONDS)
    assert rig.counted == [("old", "draining")]


def test_a_full_node_refuses_until_somebody_leaves(rig):
    rig.connections_count = 2
    answer = rig.knock()
    assert (answer.status, answer.retry_after_seconds) == (503, RETRY_SECONDS)
    assert rig.counted == [("old", "limit")]
    rig.connections_count = 1
    assert isinstance(rig.knock(), Welcome)


def test_whoever_may_not_connect_learns_nothing_of_the_nodes_state(rig):
    rig.connections_count = 2
    rig.doorman.draining = True
    assert rig.refused(origin="https://evil.example") == 403
    assert rig.refused(path="/elsewhere") == 404
