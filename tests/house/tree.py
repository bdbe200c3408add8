"""The source tree, as the rules of the house read it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("exchange", "magi", "worker")
MADE = frozenset({"__pycache__", "build", "dist", "node_modules"})
"""Directories that hold nothing anybody wrote."""


def modules(*folders: str) -> list[Path]:
    """Return the Python files under these folders, relative to the root."""
    found = (path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not MADE.intersection(path.parts))


def texts() -> Iterator[tuple[Path, str]]:
    """Iterate over all text files that belong to the project, with what they hold."""
    for path in _files(ROOT):
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in MADE or path.name.endswith(".egg-info"):
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and (not path.name.startswith(".") or path.name in {".ci", ".github"}):
            yield from _files(path)


@cache
def parsed(module: Path) -> ast.Module:
    """Return the syntax tree of a module, given relative to the root."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"), str(module))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Iterate over all functions and methods, inner ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def docstrings(tree: ast.AST) -> set[ast.Constant]:
    """Return the nodes of all docstrings, those of attributes too."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def called(node: ast.Call) -> str:
    """Return the name that is called, with what stands before its last dots: ``asyncio.sleep``, ``self.lane.ask``."""
    return ast.unparse(node.func)


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Iterate over all calls."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def at(module: Path, node: ast.AST) -> str:
    """Return where a node is, as editors understand it."""
    return f"{module}:{getattr(node, 'lineno', 1)}"
