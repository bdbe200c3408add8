import io
import json
import subprocess
from dataclasses import replace

import pytest

from exchange.banner import FIRST_FRAME, LISTENER_PATH, RELAY_PATH, Console, Started, socket_url
from magi.wire import magi1
from magi.wire.magi1_requests import Identify

FACTS = Started(
    host="127.0.0.1",
    port=8082,
    ops_host="127.0.0.1",
    ops_ports=(9082, 9083),
    store="embedded Valkey in /srv/data",
    durability="synced",
    worker=True,
    public_url="https://magi.example",
    relay=("ws://127.0.0.1:8082/coralmux/ws", "wss://127.0.0.1:8443/ws"),
)


class Gone(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


def test_a_banner_says_where_everything_is_and_how_to_connect():
    text = FACTS.banner()
    for part in (
        "2 nodes and 1 worker",
        "ws://127.0.0.1:8082/",
        "http://127.0.0.1:8082/",
        "http://127.0.0.1:9082/metrics",
        "http://127.0.0.1:9083/metrics",
        "wss://magi.example/",
        "Relay      ws://127.0.0.1:8082/coralmux/ws\n             wss://127.0.0.1:8443/ws\n",
        "/srv/data, durability synced",
        " -m websockets ws://127.0.0.1:8082/",
    ):
        assert part in text


def test_a_banner_without_the_relay_does_not_mention_it():
    quiet = replace(FACTS, relay=())
    assert "Relay" not in quiet.banner()
    assert "relay" not in quiet.context()


def test_the_address_of_a_socket_says_whether_it_is_encrypted():
    assert socket_url("[::1]", 1, LISTENER_PATH) == "ws://[::1]:1/ws"
    assert socket_url("h", 1, RELAY_PATH, tls=True) == "wss://h:1/coralmux/ws"


def test_the_first_line_a_banner_suggests_is_a_request():
    assert magi1.decode(FIRST_FRAME.encode()) == Identify(username="ann@example.com")


def test_a_banner_in_json_is_one_object_on_one_line():
    out = io.StringIO()
    Console("json", out=out).started(FACTS)
    (line,) = out.getvalue().splitlines()
    context = json.loads(line)["context"]
    assert (context["websocket"], context["durability"]) == ("ws://127.0.0.1:8082/", "synced")
    assert context["relay"] == "ws://127.0.0.1:8082/coralmux/ws wss://127.0.0.1:8443/ws"


def test_progress_in_json_is_one_object_a_line():
    err = io.StringIO()
    Console("json", err=err).say('a "quoted" word')
    assert json.loads(err.getvalue())["context"]["text"] == 'a "quoted" word'


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_complaint_is_one_plain_sentence_on_the_error_stream(kind):
    out, err = io.StringIO(), io.StringIO()
    Console(kind, out=out, err=err).complain("It cannot be.")
    assert (out.getvalue(), err.getvalue()) == ("", "It cannot be.\n")


def test_a_reader_that_is_gone_does_not_end_the_exchange():
    console = Console("text", out=Gone(), err=Gone())
    console.started(FACTS)
    console.say("still here")


def test_the_suggested_client_can_be_started_as_printed():
    (line,) = (line for line in FACTS.banner().splitlines() if "-m websockets" in line)
    python = line.removeprefix("Connect a first client:").split()[0]
    subprocess.run([python, "-m", "websockets", "--version"], check=True, capture_output=True)
