"""The owner's editor, for a draft."""

import asyncio
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from magi.daemon.port import DeskError

FALLBACK: Final = "vi"


async def edited(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text as the owner leaves it in their editor. The file is readable by them only, and gone afterwards.

    Raises:
        DeskError: There is no editor, or it failed.
    """
    argv = shlex.split(environment.get("VISUAL") or environment.get("EDITOR") or FALLBACK)
    with tempfile.TemporaryDirectory(prefix="magi-") as directory:  # made with mode 0700
        path = Path(directory) / "draft.txt"
        path.write_text(text + "\n", encoding="utf-8")
        try:
            process = await asyncio.create_subprocess_exec(*argv, str(path))
        except OSError as error:
            raise DeskError(f"The editor {argv[0]} does not start: {error.strerror}. Set EDITOR to another.") from error
        if status := await process.wait():
            raise DeskError(f"The editor {argv[0]} ended with status {status}. The draft is as it was.")
        return path.read_text(encoding="utf-8").rstrip("\n")
