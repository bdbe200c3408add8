"""Every table of the exchange is total: nothing can be asked, refused, told or ended that a table forgot."""

import ast
import importlib
import inspect
import json
from typing import Any, get_args

import pytest

from exchange.core import commands, errors
from exchange.core.commands import Command
from exchange.core.errors import ExchangeError
from exchange.core.events import Delivered, Event, FriendCame, FriendChanged, Relayed
from exchange.core.features import FEATURES
from exchange.core.model import Envelope, Kind, Link
from exchange.core.session import ALLOWED, Session, State
from exchange.dialects.coralmux import CoralMux
from exchange.front import Dialect, Ending
from exchange.handlers.exchange import HANDLERS, SHORT_WAYS
from exchange.hotcounts import OUTCOMES, HotCounts
from exchange.labels import INVITES, LIMITS, PROOFS, REFUSED_FRAMES
from exchange.metrics import COMMANDS
from exchange.node import witness
from tests.house.tree import at, called, calls, modules, parsed

EVERY_COMMAND = {
    kind
    for kind in vars(commands).values()
    if inspect.isclass(kind) and issubclass(kind, Command) and kind is not Command
}
EVERY_ERROR = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, ExchangeError)]


ARGUMENTS: dict[type, tuple[Any, ...]] = {CoralMux: (lambda: "00000000-0000-4000-8000-000000000000", lambda: 1)}
"""What a dialect is made of, where it needs something."""

TELLING = {"exchange/node/hub.py": Delivered, "exchange/node/switchboard.py": Relayed}
"""Modules that keep only sessions which are told of such events; others end those of every wire."""


def _dialects() -> list[Dialect]:
    found = []
    for path in modules("exchange/dialects"):
        module = importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
        kinds = [one for one in vars(module).values() if inspect.isclass(one) and hasattr(one, "tells")]
        found += [one(*ARGUMENTS.get(one, ())) for one in kinds]
    return found


DIALECTS = pytest.mark.parametrize("dialect", _dialects(), ids=lambda dialect: dialect.name)


def _sample(kind: type[Event]) -> Event:
    if kind is Delivered:
        return Delivered(Envelope(Kind.QUESTION, "uid", "connection", 1, 1, b'"text"'), "name", "nick")
    if kind is Relayed:
        return Relayed(b'{"type":"chat.send"}')
    if kind in (FriendCame, FriendChanged):
        return kind(Link("uid", "connection", "name", "nick"))
    return kind(*(f"{parameter}" for parameter in inspect.signature(kind).parameters))


def _error(kind: type[ExchangeError]) -> ExchangeError:
    needed = [
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is inspect.Parameter.empty and parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    ]
    return kind(*needed)


def test_every_dialect_has_a_name_of_its_own():
    names = [dialect.name for dialect in _dialects()]
    assert sorted(set(names)) == sorted(names)
    assert names


def test_every_command_has_one_handler():
    assert set(HANDLERS) | set(SHORT_WAYS) == EVERY_COMMAND
    assert set(HANDLERS) & set(SHORT_WAYS) == {commands.Send, commands.Attend, commands.PassOn}


def test_every_state_decides_on_every_command():
    assert set(ALLOWED) == set(State)
    assert frozenset().union(*ALLOWED.values()) == EVERY_COMMAND


def test_every_command_has_a_name_in_metrics():
    assert set(COMMANDS) == EVERY_COMMAND
    assert len(set(COMMANDS.values())) == len(COMMANDS)


def test_the_tree_at_the_top_of_the_errors_shows_every_error():
    shown = set((errors.__doc__ or "").replace("─", " ").split())
    assert not [kind.__name__ for kind in EVERY_ERROR if kind.__name__ not in shown]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_says_by_default_what_a_user_can_read(kind):
    message = str(_error(kind)).splitlines()[0]
    assert message.endswith("."), message
    assert message[0].isupper(), message


@DIALECTS
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_dialect_has_words_for_every_error(dialect, kind, state):
    session = Session("client", dialect=dialect.name, address="", since_ms=0)
    session.state = state
    error = _error(kind)
    assert dialect.code(error) in dialect.codes
    ending = dialect.parts(session, error)
    assert ending is None or ending in dialect.closes
    for command in (None, *(kind() for kind in EVERY_COMMAND)):
        message = dialect.refuse(session, command, error)
        if message is None:
            assert ending is not None, "whoever gets no answer is closed"
        else:
            frame = json.loads(message)
            assert (frame.get("payload") or frame)["message"].strip()


@DIALECTS
def test_every_dialect_has_words_for_every_event_it_tells(dialect):
    session = Session("client", dialect=dialect.name, address="", since_ms=0)
    session.features = FEATURES
    assert dialect.tells <= set(get_args(Event))
    for kind in dialect.tells:
        message = dialect.tell(session, _sample(kind))
        assert message is not None, kind
        assert json.loads(message)["type"]


def test_every_event_is_told_by_some_dialect():
    assert frozenset().union(*(dialect.tells for dialect in _dialects())) == set(get_args(Event))


@DIALECTS
def test_every_ending_that_we_begin_has_a_close_code(dialect):
    ours = [path for path in modules("exchange") if TELLING.get(str(path)) in {None, *dialect.tells}]
    begun = {ending for path in ours for ending in _begun(path)}
    assert begun
    assert begun <= set(dialect.closes)
    # RFC 6455, 7.4.2: 1005, 1006 and 1015 must not be sent, and 1000 only of a session that goes on elsewhere (MAGI-46).
    codes = {ending: code for ending, (code, _) in dialect.closes.items()}
    assert all(1000 <= code < 5000 and code not in {1005, 1006, 1015} for code in codes.values())
    assert {ending for ending, code in codes.items() if code == 1000} <= {Ending.REPLACED}
    assert all(len(reason.encode()) <= 123 for _, reason in dialect.closes.values())


def _begun(module: object) -> set[Ending]:
    """Return the endings for which a module asks a dialect for words: ``x.close(Ending.X)``, ``closes[Ending.X]``."""
    asked: list[ast.expr] = []
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Call) and called(node).endswith(".close") and len(node.args) == 1:
            asked.append(node.args[0])
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("closes"):
            asked.append(node.slice)
    # One of several may be chosen on the spot (``A if … else B``).
    names = {ast.unparse(part) for one in asked for part in ast.walk(one) if isinstance(part, ast.Attribute)}
    return {Ending[name.removeprefix("Ending.")] for name in names if name.startswith("Ending.")}


def test_every_refusal_counts_as_one_outcome_of_a_message():
    for kind in EVERY_ERROR:
        before, counts = HotCounts(), HotCounts()
        counts.refused(_error(kind))
        changed = [name for name in HotCounts.__slots__ if getattr(counts, name) != getattr(before, name)]
        assert len(changed) == 1
        assert changed[0] in OUTCOMES.values()


def test_every_word_that_is_counted_is_on_a_closed_list():
    assert set(witness.FRAMES_REFUSED.values()) <= set(REFUSED_FRAMES)
    assert set(witness.LIMITS.values()) <= set(LIMITS)
    assert set(witness.PROOFS.values()) <= set(PROOFS)
    for module in modules("exchange/handlers"):
        for call in calls(parsed(module)):
            if called(call).endswith("witness.invite"):
                words = _words(call.args[0])
                assert words, f"{at(module, call)} counts what no list can hold"
                assert words <= set(INVITES), at(module, call)


def _words(node: ast.expr) -> set[str]:
    """Return the words that an expression chooses from, nothing if it makes them."""
    if isinstance(node, ast.IfExp):
        return _words(node.body) | _words(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) else set()
