"""What a face and the daemon say to each other on the local socket (CLI-24).

Lines of JSON, at most ``LINE_BYTES`` each. The face begins with ``hello`` and gets ``welcome``, or ``turned_away`` and the end.
Then it calls methods of :class:`magi.daemon.port.Desk`, each under a number of its choice; replies come in any order::

    > {"type":"hello","protocol":1,"version":"0.1.0","face":"mcp","client":"codex","session":"s1","pid":4242}
    < {"type":"welcome","protocol":1,"version":"0.1.0","pid":4000}
    > {"type":"call","n":1,"method":"wait","args":{"ask_id":"k7...","seconds":45.0}}
    > {"type":"call","n":2,"method":"status"}
    < {"type":"result","n":2,"value":{...}}
    > {"type":"cancel","n":1}

``events`` sends ``event`` lines until it is cancelled. A value that does not fit into one line is preceded by ``part`` lines
that hold its JSON. An error is the name of its class and its fields. Fields may be added; a change that an older side could
misread gets a new ``PROTOCOL``.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, Struct

from magi.client import errors
from magi.client.errors import MagiError
from magi.daemon import port
from magi.daemon.port import Desk, DeskError

PROTOCOL: Final = 1
LINE_BYTES: Final = 1 << 20
_PART_CHARACTERS = LINE_BYTES // 8  # one character of JSON inside a JSON string takes at most six bytes

# --- lines of a face -------------------------------------------------------------------------------------------------


class Hello(Struct, tag="hello"):
    """The first line: which face of which agent client, for which session, and the process it lives in."""

    protocol: int
    version: str = ""
    face: str = ""
    client: str = ""
    session: str = ""
    pid: int = 0


class Call(Struct, tag="call"):
    """Do something; ``args`` are the arguments by name."""

    n: int
    method: str
    args: Raw = Raw(b"{}")


class Cancel(Struct, tag="cancel"):
    """The reply to a call is wanted no more."""

    n: int


class Retire(Struct, tag="retire"):
    """A newer face wants a newer daemon: finish and leave."""


Said = Hello | Call | Cancel | Retire

# --- lines of the daemon ---------------------------------------------------------------------------------------------


class Welcome(Struct, tag="welcome"):
    """The reply to ``hello``. If ``protocol`` is not the face's own, only ``retire`` may follow."""

    protocol: int
    version: str = ""
    pid: int = 0


class TurnedAway(Struct, tag="turned_away"):
    """The daemon does not serve this face; the line ends."""

    reason: str


class Part(Struct, tag="part"):
    """A piece of the JSON of a value that follows."""

    n: int
    text: str


class Result(Struct, tag="result"):
    """What a call returned. After parts the value is ``null`` and they are what counts."""

    n: int
    value: Raw = Raw(b"null")


class Event(Struct, tag="event"):
    """One value of a call that yields several."""

    n: int
    value: Raw = Raw(b"null")


class Failed(Struct, tag="failed"):
    """What a call raised."""

    n: int
    error: str
    fields: dict[str, Any]


Told = Welcome | TurnedAway | Part | Result | Event | Failed

_encoder: Final = msgspec.json.Encoder()
_decode_said: Final[Callable[[bytes], Said]] = msgspec.json.Decoder(Said).decode
_decode_told: Final[Callable[[bytes], Told]] = msgspec.json.Decoder(Told).decode


def line_of(said: Said | Told) -> bytes:
    """Return a message as a line."""
    return _encoder.encode(said) + b"\n"


def said_in(line: bytes) -> Said:
    """Read a line of a face.

    Raises:
        msgspec.DecodeError: It is none.
    """
    return _decode_said(line)


def told_in(line: bytes) -> Told:
    """Read a line of the daemon. Errors as of :func:`said_in`."""
    return _decode_told(line)


def lines_of(told: Result | Event) -> Iterator[bytes]:
    """Return the line of a value, after parts if it is too long for one."""
    if len(told.value) + 100 < LINE_BYTES:
        yield line_of(told)
        return
    text = bytes(told.value).decode()
    for start in range(0, len(text), _PART_CHARACTERS):
        yield line_of(Part(told.n, text[start : start + _PART_CHARACTERS]))
    yield line_of(type(told)(told.n))


# --- methods ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Method:
    """How one method of the desk travels."""

    name: str
    signature: inspect.Signature
    """Without ``self``."""
    args: type[Struct]
    result: Any
    """The type of the value, or of each event."""
    streams: bool

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return by name what a caller gave.

        Raises:
            TypeError: These are not its arguments.
        """
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def read_args(self, raw: bytes) -> dict[str, Any]:
        """Read what a face sent.

        Raises:
            msgspec.ValidationError: These are not its arguments.
        """
        return msgspec.structs.asdict(msgspec.json.decode(raw, type=self.args))

    def read_value(self, raw: bytes) -> Any:
        """Read a value. Errors as of :meth:`read_args`."""
        return msgspec.json.decode(raw, type=self.result)


def value_of(value: Any) -> Raw:
    """Return a value as it travels."""
    return Raw(_encoder.encode(value))


def _method(name: str, function: Callable[..., Any]) -> Method:
    hints = get_type_hints(function)
    result = hints.pop("return")
    signature = inspect.signature(function)
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    fields = [
        (one.name, hints[one.name]) if one.default is one.empty else (one.name, hints[one.name], one.default)
        for one in parameters
    ]
    streams = get_origin(result) is AsyncIterator
    return Method(
        name=name,
        signature=signature.replace(parameters=parameters),
        args=msgspec.defstruct(name, fields, kw_only=True),
        result=get_args(result)[0] if streams else result,
        streams=streams,
    )


METHODS: Final = MappingProxyType(
    {
        name: _method(name, function)
        for name, function in vars(Desk).items()
        if inspect.isfunction(function) and not name.startswith("_") and name != "close"
    }
)
"""Every method of the desk but ``close``, which is a face's own."""

# --- errors ----------------------------------------------------------------------------------------------------------


def _errors() -> dict[str, type[Exception]]:
    named = [*vars(errors).values(), *vars(port).values()]
    return {one.__name__: one for one in named if isinstance(one, type) and issubclass(one, (MagiError, DeskError))}


ERRORS: Final = MappingProxyType(_errors())
"""What a call may raise at a face, by the name under which it crosses."""


def failure_of(n: int, error: MagiError | DeskError) -> Failed:
    """Return how an error crosses: the nearest class of the table, and what its constructor takes."""
    class_ = next(one for one in type(error).__mro__ if ERRORS.get(one.__name__) is one)
    fields = {name: getattr(error, name, str(error)) for name in inspect.signature(class_).parameters}
    return Failed(n, class_.__name__, fields)


def error_of(failed: Failed) -> Exception:
    """Return the error again; one of a class that a newer daemon knows is a plain :class:`MagiError`."""
    class_ = ERRORS.get(failed.error)
    try:
        return class_(**failed.fields) if class_ else MagiError(_message(failed))
    except TypeError:
        return MagiError(_message(failed))


def _message(failed: Failed) -> str:
    texts = [str(failed.fields[name]) for name in ("message", "text") if failed.fields.get(name)]
    return texts[0] if texts else failed.error
