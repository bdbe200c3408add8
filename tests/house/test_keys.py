"""Every key and channel of the store is made in one place."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from exchange.storage.redis.keyspace import Keyspace
from tests.house.tree import at, called, calls, docstrings, modules, parsed

MAP = Path("exchange/storage/redis/keyspace.py")
BUILDERS = {
    name: method
    for name, method in inspect.getmembers(Keyspace, inspect.isfunction)
    if not name.startswith("_") and name not in {"hash", "uid_of", "due", "pair_of"}
}
ELSEWHERE = pytest.mark.parametrize("module", [one for one in modules("exchange", "worker") if one != MAP], ids=str)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_key_has_one_hash_tag_and_begins_with_prefix_and_version(name):
    samples = [f"<{parameter}>" for parameter in inspect.signature(BUILDERS[name]).parameters if parameter != "self"]
    key = BUILDERS[name](Keyspace("prefix", b"key"), *samples)
    assert key.startswith("prefix:1:")
    assert re.fullmatch(r"[^{}]*\{[^{}]+\}[^{}]*", key), key


@pytest.mark.parametrize("name", ["name", "invite", "limit", "stamps", "done"])
def test_nothing_that_a_user_typed_is_part_of_a_key(name):
    samples = [f"<{parameter}>" for parameter in inspect.signature(BUILDERS[name]).parameters if parameter != "self"]
    key = BUILDERS[name](Keyspace("prefix", b"key"), *samples)
    assert not any(typed in key for typed in ("<name>", "<code>", "<address>", "<block>", "<id_>"))


def test_every_kind_of_key_is_on_the_map():
    page = inspect.getdoc(inspect.getmodule(Keyspace)) or ""
    rows = re.findall(r"^``([^`]+)`` {2,}", page, re.MULTILINE)
    assert len(rows) == len(BUILDERS)
    made = {
        _shape(method(Keyspace("p", b""), *("0",) * (len(inspect.signature(method).parameters) - 1)))
        for method in BUILDERS.values()
    }
    assert made == {_shape(f"p:1:{row}") for row in rows}


def _shape(key: str) -> str:
    """Return the fixed words of a key: what is in braces or angles differs, unless it is a word of its own."""
    key = re.sub(r"<[^>]*>", "0", key.removeprefix("p:1:"))
    key = re.sub(r"\{(u|p|part|h\([^}]*\)|[0-9a-f]{32}|0)\}", "{}", key)
    return re.sub(r"\b[0-9a-f]{32}\b", "0", key)


@ELSEWHERE
def test_no_key_is_made_elsewhere(module):
    prose = docstrings(parsed(module))
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            assert "magi:1:" not in node.value, at(module, node)
            assert not re.search(r"(^|:)\{[^{}\"' ]+\}(:|$)", node.value), at(module, node)
        elif isinstance(node, ast.JoinedStr):
            shape = "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            assert not re.search(r"(^|:)\{[^{}\"' ]+\}(:|$)", shape), at(module, node)


@ELSEWHERE
def test_no_command_names_its_key_itself(module):
    for call in calls(parsed(module)):
        if called(call).endswith("ask") and len(call.args) > 1:
            key = call.args[1]
            spelled = isinstance(key, ast.JoinedStr) or (isinstance(key, ast.Constant) and ":" in str(key.value))
            assert not spelled, f"{at(module, call)} asks for {ast.unparse(key)}"
