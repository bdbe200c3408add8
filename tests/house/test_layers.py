"""Who may import whom."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import ROOT, at, modules, parsed

WORKER_MAY_USE = frozenset(
    {
        "core",
        "entropy",
        "farewell",
        "fates",
        "front",  # the closed lists that metrics need
        "hotcounts",
        "instruments",
        "labels",
        "logs",
        "metrics",
        "place",
        "ports",
        "privacy",
        "refusal",
        "settings",
        "storage",
        "stores",
    }
)


def test_import_contracts_are_kept():
    program = Path(sys.executable).parent / "lint-imports"
    run = subprocess.run(
        [program, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_worker_knows_no_part_of_the_exchange_but_those_listed():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in configured if contract["id"] == "worker")
    forbidden = {name.removeprefix("exchange.") for name in contract["forbidden_modules"] if name != "magi"}
    parts = {path.parts[1].removesuffix(".py") for path in modules("exchange")} - {"__init__"}
    assert forbidden == parts - WORKER_MAY_USE, "a new module is either listed here or forbidden to the worker"


@pytest.mark.parametrize("module", modules("exchange/core"), ids=str)
def test_the_core_uses_the_standard_library_only(module):
    for node in ast.walk(parsed(module)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, at(module, node)
            names = [node.module or ""]
        for name in names:
            own = name == "exchange.core" or name.startswith("exchange.core.")
            assert own or name.partition(".")[0] in sys.stdlib_module_names, f"{at(module, node)} imports {name}"
