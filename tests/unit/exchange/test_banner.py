import io
import json
import subprocess

import pytest

from exchange.banner import FIRST_FRAME, Console, Started
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
        "/srv/data, durability synced",
        " -m websockets ws://127.0.0.1:8082/",
    ):
        assert part in text


def test_the_first_line_a_banner_suggests_is_a_request():
    assert magi1.decode(FIRST_FRAME.encode()) == Identify(username="ann@example.com")


def test_a_banner_in_json_is_one_object_on_one_line():
    out = io.StringIO()
    Console("json", out=out).started(FACTS)
    (line,) = out.getvalue().splitlines()
    context = json.loads(line)["context"]
    assert (context["websocket"], context["durability"]) == ("ws://127.0.0.1:8082/", "synced")


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
