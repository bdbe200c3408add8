"""The Lua scripts: one file a script, inputs named at its top, and every call brings what is named there."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from exchange.storage.redis import scripts
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.scripts import SCRIPTS, Script
from tests.house.tree import PACKAGES, ROOT, at, called, calls, docstrings, functions, modules, parsed

FOLDER = Path("exchange/storage/redis/lua")
FILES = sorted((ROOT / FOLDER).glob("*.lua"))
ARGS_MOST = 6
FLAGS = frozenset({"allow-oom", "no-writes"})

EVERY_SCRIPT = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)


@dataclass(frozen=True)
class Use:
    """One call of a script: the expressions that make its keys, and how many arguments it brings."""

    script: Script
    keys: tuple[ast.expr, ...]
    args_count: int
    place: str


# --- files -----------------------------------------------------------------------------------------------------------


def test_every_lua_file_of_the_project_is_a_script():
    everywhere = [path for package in PACKAGES for path in (ROOT / package).rglob("*.lua")]
    assert sorted(everywhere) == FILES
    assert {path.stem for path in FILES} == {script.name for script in SCRIPTS}


def test_every_script_is_a_constant_of_its_name():
    assert all(getattr(scripts, script.name.upper()) is script for script in SCRIPTS)


@EVERY_SCRIPT
def test_a_script_begins_with_its_flags_its_keys_its_arguments_and_what_it_does(script):
    shebang, keys, args, purpose, *_ = script.source.splitlines()
    match = re.fullmatch(r"#!lua flags=([a-z,-]*)", shebang)
    assert match, shebang
    assert FLAGS.issuperset(filter(None, match[1].split(",")))
    assert re.fullmatch(r"-- KEYS:( [a-z_]+)+", keys), keys
    assert re.fullmatch(r"-- ARGV:( [a-z_]+)*", args), args
    assert purpose.startswith("-- "), purpose
    assert len(script.args) <= ARGS_MOST


@EVERY_SCRIPT
def test_a_script_that_only_reads_says_so_and_another_does_not(script):
    writing = r"'(HSET|HDEL|HINCRBY|SET|DEL|INCR|Z?P?EXPIRE|PERSIST|PUBLISH|ZADD|ZREM\w*)'"
    assert bool(re.search(writing, script.source)) == ("flags=no-writes" not in script.source)


@EVERY_SCRIPT
def test_a_script_uses_all_its_inputs_and_no_others(script):
    for table, names in (("KEYS", script.keys), ("ARGV", script.args)):
        used = {int(number) for number in re.findall(rf"\b{table}\[(\d+)\]", script.source)}
        wanted = set(range(1, len(names) + 1))
        assert used <= wanted
        assert used == wanted or f"unpack({table})" in script.source


@EVERY_SCRIPT
def test_a_script_assigns_no_global(script):
    # One global breaks every later script of the server (DEP-24).
    assert not _globals(script.source)


def test_an_assigned_global_is_noticed():
    assert _globals("local a = 1\nb = 2\nif a == 2 then c, a = 1, 2 end") == ["b", "c"]
    assert _globals("function f() end") == ["f"]
    assert not _globals("local t = {a = 1}\nt.b = 2\nt[1] = 3 -- c = 4\nfor i, v in pairs(t) do i = v end")
    assert not _globals("local function f(a) a = 'b = 1' end\nlocal x,\n  y = f()\nx, y = y, x")


def _globals(source: str) -> list[str]:
    """Return the names that a script assigns without ever declaring them."""
    source = re.sub(r"--[^\n]*|'[^']*'|\"[^\"]*\"", " ", re.sub(r"^#!.*", "", source))
    tokens = re.findall(r"[A-Za-z_]\w*|[=~<>]=|\.\.|[^\s\w]", source)
    declared: set[str] = set()
    assigned: list[str] = []
    braces = 0
    for index, token in enumerate(tokens):
        braces += (token == "{") - (token == "}")
        if token == "function":
            named = tokens[index + 1] != "("
            if named and tokens[index - 1] != "local":
                assigned.append(tokens[index + 1])
            declared.update(
                tokens[index + 1 : tokens.index(")", index)] if not named or tokens[index - 1] == "local" else ()
            )
        elif token in {"local", "for"}:
            declared.update(_names(tokens[index + 1 :]))
        elif token == "=" and not braces:
            assigned += _assigned(tokens[:index])
    return [name for name in assigned if name not in declared]


def _names(tokens: list[str]) -> list[str]:
    """Return the names of ``a, b, c`` at the start of these tokens."""
    names = []
    for place, token in enumerate(tokens):
        if place % 2 == 0:
            names.append(token)
        elif token != ",":
            break
    return names


def _assigned(before: list[str]) -> list[str]:
    """Return the plain names of ``a, b.c, d`` at the end of these tokens; fields of tables are no names."""
    names = _names(before[::-1])
    rest = before[: len(before) - (2 * len(names) - 1)]
    if rest and rest[-1] in {".", "local", "for"}:
        names = names[:-1]
    return [name for name in names[::-1] if re.fullmatch(r"[A-Za-z_]\w*", name)]


# --- calls -----------------------------------------------------------------------------------------------------------


@cache
def _uses() -> tuple[Use, ...]:
    named = {script.name.upper(): script for script in SCRIPTS}
    uses = []
    for module in modules("exchange", "worker"):
        for owner in (node for node in parsed(module).body if isinstance(node, ast.ClassDef)):
            for function in functions(owner):
                for call in calls(function):
                    if called(call).endswith(("ask_script", "self._commit", "self._lane.run")):
                        script, keys, args = call.args[:3]
                        uses.append(
                            Use(
                                named[ast.unparse(script)],
                                _items(keys, function, owner),
                                len(_items(args, function, owner)),
                                at(module, call),
                            )
                        )
    return tuple(uses)


def _items(node: ast.expr, function: ast.AST, owner: ast.ClassDef) -> tuple[ast.expr, ...]:
    """Return the members of a tuple that is written in place, under a local name, or in a method of the class."""
    if isinstance(node, ast.Tuple):
        parts = [
            _items(part.value, function, owner) if isinstance(part, ast.Starred) else (part,) for part in node.elts
        ]
        return sum(parts, ())
    if isinstance(node, ast.Name):
        (value,) = (
            step.value
            for step in ast.walk(function)
            if isinstance(step, ast.Assign) and ast.unparse(step.targets[0]) == node.id
        )
        return _items(value, function, owner)
    assert isinstance(node, ast.Call), f"nobody can tell how many there are: {ast.unparse(node)}"
    for step in ast.walk(owner):
        if isinstance(step, ast.Assign) and ast.unparse(step.targets[0]) == called(node):
            # A cache of what a function returns.
            assert isinstance(step.value, ast.Call)
            assert isinstance(step.value.args[0], ast.Lambda)
            return _items(step.value.args[0].body, function, owner)
    (method,) = (one for one in functions(owner) if f"self.{one.name}" == called(node))
    (result,) = (step.value for step in ast.walk(method) if isinstance(step, ast.Return))
    assert result is not None
    return _items(result, method, owner)


def test_every_script_is_called():
    assert {use.script for use in _uses()} == set(SCRIPTS)


def test_every_call_of_a_script_is_seen():
    texts = [(ROOT / module).read_text(encoding="utf-8") for module in modules("exchange/storage", "worker")]
    spellings = (".ask_script(", "self._commit(", "self._lane.run(")
    assert sum(text.count(spelling) for text in texts for spelling in spellings) == len(_uses())


def test_every_call_brings_what_the_script_names():
    for use in _uses():
        assert len(use.keys) == len(use.script.keys), use.place
        assert use.args_count == len(use.script.args), use.place


def test_every_call_brings_its_keys_in_the_order_of_the_script():
    for use in _uses():
        for name, key in zip(use.script.keys, use.keys, strict=True):
            assert isinstance(key, ast.Call), use.place
            method = called(key).rpartition(".")[2]
            # Scripts for one key of several kinds name what it is to them.
            assert method == name or len(use.script.keys) == 1, f"{use.place}: {method} is given for {name}"


def test_all_keys_of_a_call_lie_in_one_slot():
    space = Keyspace("prefix", b"key")
    for use in _uses():
        tags = set()
        for key in use.keys:
            assert isinstance(key, ast.Call)
            samples = [ast.unparse(argument) for argument in key.args]
            made = getattr(space, called(key).rpartition(".")[2])(*samples)
            tags.add(re.findall(r"\{(.+?)\}", made)[0])
        assert len(tags) == 1, f"{use.place} needs the slots {tags}"


def test_no_lua_is_written_in_python():
    for module in modules(*PACKAGES):
        prose = docstrings(parsed(module))
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
                assert not re.search(r"redis\.p?call|\bKEYS\[|\bARGV\[", node.value), at(module, node)
                assert node.value.upper() not in {"EVAL", "EVAL_RO", "FCALL"}, at(module, node)
