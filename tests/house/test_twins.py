"""Every source file has its twin test, in the folder that mirrors its package."""

import ast
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT, functions, modules, parsed

PORTS = (
    *("clock", "dues", "histories", "invites", "jobs", "leases", "limits", "links", "mailboxes", "names", "pairs"),
    *("repeats", "slots", "tallies", "users", "wakes"),
)
TWINS = {
    # One suite proves both stores.
    **{
        f"exchange/storage/{kind}/{port}.py": f"tests/contract/test_{port}.py"
        for kind in ("memory", "redis")
        for port in PORTS
    },
    "exchange/storage/memory/buckets.py": "tests/contract/test_limits.py",
    "exchange/ports/pairs.py": "tests/contract/test_slots.py",
    # Only a real server can prove these.
    "exchange/storage/redis/commit.py": "tests/integration/storage/test_commit.py",
    "exchange/storage/redis/fitness.py": "tests/integration/storage/test_fitness.py",
    "exchange/storage/redis/lane.py": "tests/integration/storage/test_lane.py",
    "exchange/storage/redis/pair.py": "tests/integration/storage/test_pair.py",
    "exchange/storage/redis/scan.py": "tests/integration/storage/test_scan.py",
    "exchange/storage/redis/store.py": "tests/integration/storage/test_store.py",
    # Only real processes can prove these.
    "exchange/app.py": "tests/integration/serve/test_serve.py",
    "exchange/programs.py": "tests/integration/serve/test_programs.py",
    "exchange/serve.py": "tests/integration/serve/test_serve.py",
}
"""Files that another test proves."""


def _has_logic(module: Path) -> bool:
    """Tell whether a module does anything: declarations (protocols, records, words, re-exports) have no twin."""
    return any(not _is_declared(function) for function in functions(parsed(module)))


def _is_declared(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in function.body)


def _mirror(module: Path) -> str:
    """Return where the twin is: a package's own test stands beside the folder of its modules."""
    if module.name == "__init__.py":
        module = module.parent.with_suffix(".py")
    return str(Path("tests/unit") / module.parent / f"test_{module.stem.strip('_')}.py")


@pytest.mark.parametrize("module", [module for module in modules(*PACKAGES) if _has_logic(module)], ids=str)
def test_every_module_has_its_twin(module):
    twin = ROOT / TWINS.get(str(module), _mirror(module))
    assert twin.is_file(), f"{module} has no {twin.relative_to(ROOT)}"
    tests = [one.name for one in functions(ast.parse(twin.read_text(encoding="utf-8"))) if one.name.startswith("test_")]
    assert tests, f"{twin.relative_to(ROOT)} tests nothing"


def test_the_table_of_twins_names_only_what_is_there():
    assert not [path for pair in TWINS.items() for path in pair if not (ROOT / path).is_file()]
