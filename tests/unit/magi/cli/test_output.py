"""What the program prints."""

import inspect
import io
import json

import msgspec
import pytest
from msgspec.structs import replace

from magi.cli.output import TYPES, Output, quoted
from magi.daemon import port
from tests.harness.fake_desk import BOB, QUESTION

HOSTILE = "a\x1b[31m[bold]b[/bold]\x9b2J :smile: \u202ec\u200b\nnext"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Say so."""
        return True


def printed(act, *, as_json=False, stream=io.StringIO):
    stdout, stderr = stream(), stream()
    act(Output(as_json=as_json, stdout=stdout, stderr=stderr))
    return stdout.getvalue(), stderr.getvalue()


def test_results_go_to_stdout_and_everything_else_to_stderr():
    def act(out):
        out.say("result")
        out.note("note")

    assert printed(act) == ("result\n", "note\n")
    assert printed(act, as_json=True) == ("", "note\n")


def test_whatever_a_person_gets_is_clean():
    assert printed(lambda out: out.say(HOSTILE)) == ("a[bold]b[/bold] :smile: c\nnext\n", "")
    assert printed(lambda out: out.note(HOSTILE))[1] == "a[bold]b[/bold] :smile: c\nnext\n"
    assert printed(lambda out: out.table(("x",), [(HOSTILE,)]))[0] == "a[bold]b[/bold] :smile: c next\n"


def test_a_table_on_a_terminal_takes_nothing_for_markup(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    shown, _ = printed(lambda out: out.table(("head",), [(HOSTILE,)]), stream=Terminal)
    head, row = (line.rstrip() for line in shown.splitlines())
    assert (head, row) == ("head", "a[bold]b[/bold] :smile: c next")


def test_a_table_without_rows_is_nothing():
    assert printed(lambda out: out.table(("head",), []), stream=Terminal) == ("", "")


def test_an_object_is_one_line_of_ascii_that_holds_the_text_as_it_came():
    out, _ = printed(lambda out: out.view(replace(QUESTION, text=HOSTILE)), as_json=True)
    assert out.count("\n") == 1
    assert out.strip().isascii()
    assert "\x1b" not in out
    assert json.loads(out)["text"] == HOSTILE
    assert printed(lambda out: out.view(QUESTION)) == ("", "")


@pytest.mark.parametrize(
    "view",
    [one for one in vars(port).values() if inspect.isclass(one) and issubclass(one, msgspec.Struct)],
    ids=lambda view: view.__name__,
)
def test_every_view_has_a_type(view):
    inner = {port.Caller, port.Inbox}  # the first goes in, the second is its items
    assert view in inner or view in TYPES or view.__struct_config__.tag
    assert not (view in TYPES and view.__struct_config__.tag)


def test_a_view_brings_its_type():
    out, _ = printed(lambda out: out.view(BOB), as_json=True)
    assert json.loads(out)["type"] == "friend"


def test_a_spinner_turns_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")

    def act(out):
        with out.spinner() as show:
            show(HOSTILE)

    assert printed(act) == ("", "")
    out, err = printed(act, stream=Terminal)
    assert out == ""
    assert "a[bold]b[/bold] :smile: c" in err
    assert "\x9b" not in err


def test_every_line_of_a_friend_is_marked():
    assert quoted("a\nb\u2028c\vd\n") == "  | a\n  | b\n  | c\n  | d"
    assert quoted("") == "  |"
