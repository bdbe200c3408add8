"""Tests wait for what happens, never for a time that somebody guessed, and never judge by the clock."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.tree import at, called, calls, functions, modules, parsed

NAP_SECONDS = 0.05
"""A pause as short as this is a step of a loop or lets others run; it proves nothing."""
CLOCKS = frozenset({"time.monotonic", "time.perf_counter", "time.time", "monotonic", "perf_counter", "loop.time"})
TESTS = pytest.mark.parametrize("module", [one for one in modules("tests") if one.parts[1] != "harness"], ids=str)


@TESTS
def test_no_test_sleeps_for_a_guessed_time(module):
    naps = list(_naps(parsed(module)))
    assert not naps, [at(module, nap) for nap in naps]


@TESTS
def test_no_test_asserts_how_long_something_took(module):
    judged = [check for function in functions(parsed(module)) for check in _judgements(function)]
    assert not judged, [at(module, check) for check in judged]


def test_guessed_times_are_noticed():
    assert list(_naps(ast.parse("time.sleep(0.01)")))
    assert list(_naps(ast.parse("async def f(): await asyncio.sleep(0.2)")))
    assert list(_naps(ast.parse("async def f(): await asyncio.sleep(PAUSE)")))
    assert not list(_naps(ast.parse("async def f(): await asyncio.sleep(0)")))


def test_judging_by_the_clock_is_noticed():
    slow = (
        "def test():\n    start = time.monotonic()\n    act()\n    took = time.monotonic() - start\n    assert took < 1"
    )
    assert list(_judgements(ast.parse(slow)))
    assert list(_judgements(ast.parse("def test():\n    before = time.time()\n    assert time.time() - before < 1")))
    assert not list(_judgements(ast.parse("def test():\n    assert wake.at == 3.0")))
    assert not list(_judgements(ast.parse("def test():\n    assert time.monotonic() < deadline")))


def _naps(tree: ast.AST) -> Iterator[ast.Call]:
    for call in calls(tree):
        name = called(call)
        if name == "time.sleep":
            yield call
        elif name == "asyncio.sleep":
            wanted = call.args[0]
            if not isinstance(wanted, ast.Constant) or wanted.value > NAP_SECONDS:
                yield call


def _judgements(tree: ast.AST) -> Iterator[ast.Assert]:
    """Find asserts about the time between two readings of a clock. A deadline, or one reading, says something else."""
    assigned = [(ast.unparse(one.targets[0]), one.value) for one in ast.walk(tree) if isinstance(one, ast.Assign)]
    moments = {name for name, value in assigned if _reads_clock(value)}
    spans = {name for name, value in assigned if _is_span(value, moments)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and any(
            _is_span(part, moments) or (isinstance(part, ast.Name) and part.id in spans) for part in ast.walk(node.test)
        ):
            yield node


def _is_span(node: ast.AST, moments: set[str]) -> bool:
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)):
        return False
    return all(_reads_clock(side) or ast.unparse(side) in moments for side in (node.left, node.right))


def _reads_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and (called(node) in CLOCKS or called(node).endswith("loop().time"))
