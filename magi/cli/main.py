"""Where the program ``magi`` begins."""

import io
import sys

# A hook may take 300 ms in all (CLI-43): it is found before the parser is loaded (DEP-6).
# ruff: noqa: PLC0415


def main() -> None:
    """Run the program and exit with its status (CLI-31)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a friend may write what this terminal cannot show
    if sys.argv[1:2] == ["hook"]:
        from magi.cli.hook import main as hook

        hook()
        return
    from magi.cli.program import program

    program(prog_name="magi")
