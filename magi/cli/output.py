"""What the program prints: results on stdout, everything else on stderr (CLI-29).

A person gets sentences and tables, a program (``--json``) one object a line with a ``type``. Everything a person gets is
cleaned here (MCP-9), so that no command can forget it; nothing is ever read as markup. JSON holds texts as they came, in
ASCII: an escape sequence in it does nothing.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

import msgspec

from magi.daemon.port import FriendView, Held, InviteView, Status, Waiting
from magi.desk.framing import terminal

# rich is loaded for a table or a spinner on a terminal only (DEP-6).
# ruff: noqa: PLC0415

TYPES: dict[type[msgspec.Struct], str] = {
    FriendView: "friend",
    Held: "held",
    InviteView: "invite",
    Status: "status",
    Waiting: "waiting",
}
"""The ``type`` of views that do not bring their own as a tag."""


class Output:
    """Where one run of the program prints."""

    def __init__(self, *, as_json: bool, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    def say(self, text: str) -> None:
        """Print a result for people. With ``--json`` it goes nowhere: the object says it."""
        if not self.as_json:
            self._write(self._stdout, terminal(text))

    def note(self, text: str) -> None:
        """Tell something beside the results."""
        self._write(self._stderr, terminal(text))

    def view(self, view: msgspec.Struct) -> None:
        """Print a view for programs. For people it goes nowhere: say it."""
        fields = msgspec.to_builtins(view)
        self.record(fields.pop("type", None) or TYPES[type(view)], **fields)

    def record(self, type_: str, **fields: object) -> None:
        """Print an object for programs that is no view."""
        if self.as_json:
            self._write(self._stdout, json.dumps({"type": type_, **fields}))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table for people; into a pipe as lines with tabs, without heads."""
        if self.as_json or not rows:
            return
        clean = [[" ".join(terminal(cell).split()) for cell in row] for row in rows]
        if not self._stdout.isatty():
            for row in clean:
                self._write(self._stdout, "\t".join(row))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for row in clean:
            table.add_row(*map(Text, row))
        Console(file=self._stdout, highlight=False).print(table)

    @contextlib.contextmanager
    def spinner(self) -> Iterator[Callable[[str], None]]:
        """Give a function that shows what is waited for, on a terminal; elsewhere it does nothing."""
        if not self._stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console
        from rich.text import Text

        with Console(file=self._stderr, highlight=False).status(Text("")) as status:
            yield lambda text: status.update(Text(terminal(text)))

    def _write(self, stream: TextIO, line: str) -> None:
        stream.write(line + "\n")
        stream.flush()


def quoted(text: str) -> str:
    """Return a friend's text so that no line of it can be taken for one of ours."""
    return "\n".join(f"  | {line}" for line in text.splitlines()) or "  |"
