"""Every clause of the wire is proved by a test of this package."""

import ast
import importlib
from pathlib import Path

import pytest

CLAUSES = tuple(f"CORAL-{number}" for number in range(1, 38))
MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py") if path.stem != "test_clauses")


def proofs() -> dict[str, list[str]]:
    """Return the tests of this package by the clauses they name."""
    found: dict[str, list[str]] = {}
    for name in MODULES:
        module = importlib.import_module(f"{__package__}.{name}")
        for test in vars(module).values():
            for clause in getattr(test, "covers", ()):
                found.setdefault(clause, []).append(test.__name__)
    return found


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_has_a_test(clause):
    assert clause in proofs()


def test_tests_name_clauses_that_exist():
    assert set(proofs()) <= set(CLAUSES)


def test_every_test_says_what_it_proves():
    silent = []
    for name in MODULES:
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        tests = [
            one
            for one in tree.body
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name[:5] == "test_"
        ]
        silent += [one.name for one in tests if "covers(" not in "".join(map(ast.unparse, one.decorator_list))]
    assert silent == []
