"""What starts the bridge: the desk of a profile, and what is said without the extra (MCP-1)."""

import subprocess
import sys

import pytest

from magi.bridge import server
from magi.bridge.server import desk_of, main
from magi.client.errors import ProfileError
from tests.unit.magi.bridge.fake import MODEL


def test_without_the_extra_one_line_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mcp.server.stdio", None)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == server.NOT_SET_UP_STATUS
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "magi-exchange[mcp]" in err


async def test_a_profile_that_is_not_set_up_is_an_error_that_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("MAGI_HOME", str(tmp_path))
    with pytest.raises(ProfileError, match="magi register"):
        async with desk_of({"profile": "work"}, MODEL):
            raise AssertionError("there is none")


def test_the_official_library_is_loaded_by_the_run_and_not_before():
    code = "import sys, magi.bridge.server; print('mcp' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["False", "False"]
