"""Where the program begins."""

import json
import os
import subprocess
import sys

SLOW = {"cryptography", "mcp", "pydantic", "rich", "sqlite3", "websockets"}


def loaded_by(tmp_path, *argv):
    """Return the modules that a run of the program has loaded at its end."""
    script = (
        "import json, sys\n"
        f"sys.argv = {['magi', *argv]!r}\n"
        "from magi.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={**os.environ, "MAGI_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
    )
    return set(json.loads(run.stderr.splitlines()[-1]))


def test_help_loads_nothing_that_is_slow(tmp_path):
    # DEP-6
    loaded = loaded_by(tmp_path, "--help")
    assert "magi.cli.talk" in loaded
    assert not loaded & SLOW


def test_a_command_loads_its_own_module_only(tmp_path):
    loaded = loaded_by(tmp_path, "mode", "--help")
    own = {
        name for name in loaded if name in {"magi.cli.consent", "magi.cli.talk", "magi.cli.listening", "magi.cli.inbox"}
    }
    assert own == {"magi.cli.consent"}


def test_what_a_terminal_cannot_show_is_no_error(magi, capsys):
    magi("--version")
    assert sys.stdout.errors == "backslashreplace"
    sys.stdout.write("\ud800")
    assert capsys.readouterr().out == "\\ud800"
