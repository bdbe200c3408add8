import json
import shutil
import subprocess

import pytest

from magi.cli.setup.adapter import Home
from magi.cli.setup.commands import Magi
from magi.cli.setup.opencode import OwnFile, pieces
from magi.cli.setup.writing import Unusable
from tests.unit.magi.cli.setup.homes import MAGI


def test_the_bridge_is_local_and_the_plugin_is_in_its_folder(tmp_path):
    bridge, plugin = pieces(Home(tmp_path), MAGI)
    command = ["/opt/magi/bin/magi", "mcp"]
    assert json.loads(bridge.snippet()) == {"mcp": {"magi": {"type": "local", "command": command, "enabled": True}}}
    assert plugin.where == str(tmp_path / ".config/opencode/plugins/magi.js")
    assert pieces(Home(tmp_path, {"XDG_CONFIG_HOME": "/srv"}), MAGI)[0].where == "/srv/opencode/opencode.json"


def test_a_file_of_ours_that_somebody_changed_is_theirs(tmp_path):
    path = tmp_path / "magi.js"
    OwnFile(path, "old();\n").change(undo=False).carry_out()
    OwnFile(path, "new();\n").change(undo=False).carry_out()
    assert path.read_text().endswith("new();\n")
    path.write_text(path.read_text() + "mine();\n")
    for undo in (False, True):
        with pytest.raises(Unusable, match="left alone"):
            OwnFile(path, "newer();\n").change(undo=undo)


def test_a_file_of_somebody_elses_is_left_alone(tmp_path):
    path = tmp_path / "magi.js"
    path.write_text("mine();\n")
    with pytest.raises(Unusable, match="left alone"):
        OwnFile(path, "ours();\n").change(undo=False)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs a JavaScript engine")
def test_the_plugin_prompts_an_idle_session_with_what_waits(tmp_path):
    program = tmp_path / "magi"
    program.write_text(
        '#!/bin/sh\nread said\necho "$2 $said" >> "$0.log"\n[ "$2" = stop ] || echo "magi: 1 question" >&2\n'
    )
    program.chmod(0o755)
    _, plugin = pieces(Home(tmp_path), Magi((str(program),)))
    (tmp_path / "magi.mjs").write_text(plugin.snippet())
    script = tmp_path / "run.mjs"
    script.write_text("""
import { MagiPlugin } from "./magi.mjs";
const client = { session: { promptAsync: async (given) => console.log(JSON.stringify(given)) } };
const { event } = await MagiPlugin({ client });
await event({ event: { type: "session.created", properties: {} } });
await event({ event: { type: "session.idle", properties: { sessionID: "s1" } } });
""")
    run = subprocess.run([shutil.which("node"), script], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(run.stdout) == {
        "path": {"id": "s1"},
        "body": {"parts": [{"type": "text", "text": "magi: 1 question"}]},
    }
    assert (tmp_path / "magi.log").read_text() == 'stop {"session_id":"s1"}\nwake {"session_id":"s1"}\n'
