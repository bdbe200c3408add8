import inspect
import json
from typing import get_type_hints

import msgspec
import pytest

from magi.client import errors
from magi.client.errors import MagiError, NotFriends, StillOpen
from magi.daemon import port, protocol
from magi.daemon.port import AskView, Caller, Desk, DeskError, Item
from magi.daemon.protocol import (
    ERRORS,
    LINE_BYTES,
    METHODS,
    Call,
    Event,
    Failed,
    Hello,
    Part,
    Result,
    error_of,
    failure_of,
    line_of,
    lines_of,
    said_in,
    told_in,
    value_of,
)

VALUES = {"str": "text", "int": 7, "float": 1.5, "tuple": ("a",), "dict": {}}


def test_every_method_of_the_port_can_be_called():
    public = {name for name, one in vars(Desk).items() if callable(one) and not name.startswith("_")}
    assert set(METHODS) == public - {"close"}


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_the_arguments_of_a_method_are_those_of_the_port(method):
    parameters = [
        one for one in inspect.signature(getattr(Desk, method.name)).parameters.values() if one.name != "self"
    ]
    info = {field.name: field for field in msgspec.structs.fields(method.args)}
    hints = get_type_hints(getattr(Desk, method.name))
    assert list(info) == [one.name for one in parameters]
    for one in parameters:
        assert info[one.name].type == hints[one.name]
        assert info[one.name].required == (one.default is one.empty)


def test_arguments_go_by_name_and_keep_their_defaults_at_the_reader():
    method = METHODS["ask"]
    given = method.arguments("bob", "Which Redis?", caller=Caller("mcp", "model", "s1"))
    read = method.read_args(value_of(given))
    assert read["caller"] == Caller("mcp", "model", "s1")
    assert (read["who"], read["text"], read["wants_answer"]) == ("bob", "Which Redis?", True)


def test_wrong_arguments_are_refused_at_both_ends():
    with pytest.raises(TypeError):
        METHODS["wait"].arguments("a1")
    with pytest.raises(msgspec.ValidationError):
        METHODS["wait"].read_args(b'{"ask_id":7,"seconds":1}')


def test_values_come_back_as_they_were():
    mixed = (AskView("a1", "bob", "queued", "kept"), Item("q1", "bob", "ask", "text", 1))
    assert METHODS["history"].read_value(value_of(mixed)) == mixed
    assert METHODS["defer"].read_value(value_of(None)) is None
    assert METHODS["review"].read_value(value_of(None)) is None


def test_the_first_line_reads_as_documented():
    line = b'{"type":"hello","protocol":1,"version":"0.1.0","face":"mcp","client":"codex","session":"s1","pid":42}\n'
    assert said_in(line) == Hello(1, "0.1.0", "mcp", "codex", "s1", 42)
    assert line_of(said_in(line)) == line


def test_unknown_fields_are_passed_over():
    assert said_in(b'{"type":"call","n":1,"method":"status","later":true}') == Call(1, "status")


@pytest.mark.parametrize(
    "line", [b"", b"null", b"{}", b'{"type":"leap"}', b'{"type":"call"}', b"\xff", b'{"type":"call","n":"1"}']
)
def test_what_is_no_line_of_a_face_is_refused(line):
    with pytest.raises(msgspec.DecodeError):
        said_in(line)


@pytest.mark.parametrize("character", ["x", '"', "\\", "\x01", "ä", "\U0001f980"])
@pytest.mark.parametrize("kind", [Result, Event])
def test_a_long_value_travels_in_lines_that_are_short_enough(kind, character):
    value = character * (3 * LINE_BYTES // len(character.encode()))
    lines = list(lines_of(kind(5, value_of(value))))
    assert max(map(len, lines)) <= LINE_BYTES
    *parts, end = map(told_in, lines)
    assert all(isinstance(part, Part) and part.n == 5 for part in parts)
    assert end == kind(5)
    assert json.loads("".join(part.text for part in parts)) == value


def test_a_short_value_is_one_line():
    assert list(lines_of(Result(5, value_of("x")))) == [b'{"type":"result","n":5,"value":"x"}\n']


def every_error() -> list[type[Exception]]:
    def below(class_):
        return [class_, *(one for child in class_.__subclasses__() for one in below(child))]

    return [one for one in [*below(MagiError), *below(DeskError)] if one.__module__ in {errors.__name__, port.__name__}]


@pytest.mark.parametrize("class_", every_error(), ids=lambda class_: class_.__name__)
def test_every_error_comes_back_as_it_was(class_):
    parameters = inspect.signature(class_).parameters
    filled = class_(**{name: VALUES.get(type(one.default).__name__, "text") for name, one in parameters.items()})
    bare = class_(*["text" for one in parameters.values() if one.default is one.empty])
    for one in (filled, bare):
        back = error_of(told_in(line_of(failure_of(3, one))))
        assert type(back) is class_
        assert str(back) == str(one)
        assert vars(back) == vars(one)


def test_the_table_of_errors_has_them_all():
    assert set(ERRORS.values()) == set(every_error())


def test_an_error_of_a_narrower_class_crosses_as_the_nearest_known_one():
    class Narrow(NotFriends):
        pass

    back = error_of(failure_of(3, Narrow("No active connection", "no_friends")))
    assert type(back) is NotFriends
    assert (back.text, back.code) == ("No active connection", "no_friends")


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        (Failed(1, "OfTomorrow", {"message": "a new trouble"}), "a new trouble"),
        (Failed(1, "OfTomorrow", {}), "OfTomorrow"),
        (Failed(1, "StillOpen", {"of_tomorrow": 1}), "StillOpen"),
    ],
)
def test_an_error_of_a_newer_daemon_keeps_its_text(failed, text):
    back = error_of(failed)
    assert type(back) is MagiError
    assert str(back) == text


def test_an_error_keeps_its_fields():
    back = error_of(failure_of(1, StillOpen("a1", "queued")))
    assert isinstance(back, StillOpen)
    assert (back.ask_id, back.state) == ("a1", "queued")
    assert protocol.PROTOCOL == 1, "a new number needs a test of retiring the old one"
