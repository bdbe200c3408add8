import json

from magi.cli.setup.adapter import Home
from magi.cli.setup.gemini import pieces
from tests.unit.magi.cli.setup.homes import MAGI


def test_times_are_in_milliseconds_and_events_have_the_clients_names(tmp_path):
    (one,) = pieces(Home(tmp_path), MAGI)
    said = json.loads(one.snippet())
    assert one.where == str(tmp_path / ".gemini/settings.json")
    assert said["mcpServers"]["magi"]["timeout"] == 90000
    events = {name: groups[0]["hooks"][0] for name, groups in said["hooks"].items()}
    assert [(name, hook["command"].split()[2], hook["timeout"]) for name, hook in events.items()] == [
        ("SessionStart", "start", 5000),
        ("BeforeAgent", "prompt", 5000),
        ("AfterAgent", "stop", 5000),
    ]
