"""The owner's editor."""

import sys

import pytest

from magi.cli.editor import edited
from magi.daemon.port import DeskError


def program(tmp_path, body):
    script = tmp_path / "an editor.py"
    script.write_text(f"import os, sys, pathlib\npath = pathlib.Path(sys.argv[-1])\n{body}\n")
    return {"EDITOR": f"'{sys.executable}' '{script}' --wait"}


async def test_the_text_comes_back_as_the_owner_leaves_it(tmp_path):
    environment = program(tmp_path, "path.write_text(path.read_text() + 'more\\n')")
    assert await edited("draft", environment) == "draft\nmore"


async def test_nobody_else_can_read_the_draft_and_it_is_gone_afterwards(tmp_path):
    seen = tmp_path / "seen"
    body = f"pathlib.Path({str(seen)!r}).write_text(f'{{path.parent.stat().st_mode & 0o777:o}} {{path}}')"
    await edited("draft", program(tmp_path, body))
    mode, _, path = seen.read_text().partition(" ")
    assert mode == "700"
    assert not (tmp_path / path).parent.exists()


async def test_an_editor_that_fails_leaves_the_draft_as_it_was(tmp_path):
    with pytest.raises(DeskError, match=r"ended with status 3\. The draft is as it was"):
        await edited("draft", program(tmp_path, "sys.exit(3)"))
    with pytest.raises(DeskError, match="does not start: No such file"):
        await edited("draft", {"VISUAL": str(tmp_path / "none")})
