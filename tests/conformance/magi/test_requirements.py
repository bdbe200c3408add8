"""The list of requirements is complete and true in both directions."""

import ast
import importlib
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.magi import test_faults, test_model
from tests.conformance.magi.requirements import PLACES, read_requirements
from tests.conformance.magi.test_dialogues import all_dialogues, runs_at

ROOT = Path(__file__).parents[3]
REQUIREMENTS = read_requirements()
SCOPE = {
    *(f"MAGI-{number}" for number in (*range(1, 36), 37, *range(42, 51), 52, 53, 54, 55)),
    *(f"WIRE-{number}" for number in (1, 3, *range(5, 15))),
    *(f"SECTION-{section}" for section in ("3", "3.1", "3.3", "4", "5", "8")),
    "ORIGINALS",
}
"""Clauses that this release keeps, the tables that have no clause numbers, and section 15."""


def coverage() -> dict[str, set[str]]:
    """Return for every id the places of the dialogues and tests that name it; tests that need no place count as all."""
    seen: dict[str, set[str]] = {}
    for dialogue in all_dialogues():
        for id_ in dialogue.covers:
            seen.setdefault(id_, set()).update(runs_at(dialogue))
    for module in (test_faults, test_model):
        for value in vars(module).values():
            for id_ in getattr(value, "covers", ()):
                seen.setdefault(id_, set()).update(PLACES)
    return seen


def test_every_clause_in_scope_has_a_requirement():
    assert {entry.clause for entry in REQUIREMENTS} == SCOPE


def test_ids_are_unique_and_texts_are_sentences():
    assert [id_ for id_, count in Counter(entry.id for entry in REQUIREMENTS).items() if count > 1] == []
    assert [entry.id for entry in REQUIREMENTS if not entry.text.endswith(".") or len(entry.text) < 20] == []


def test_every_requirement_says_where_it_is_proved():
    assert [entry.id for entry in REQUIREMENTS if not entry.places and not entry.proofs] == []
    assert {place for entry in REQUIREMENTS for place in entry.places} <= set(PLACES)


def test_every_requirement_is_covered_at_all_its_places():
    seen = coverage()
    assert {
        entry.id: missing for entry in REQUIREMENTS if (missing := set(entry.places) - seen.get(entry.id, set()))
    } == {}


def test_every_test_names_requirements_that_exist():
    assert set(coverage()) - {entry.id for entry in REQUIREMENTS} == set()


def test_dialogues_have_names_of_their_own():
    names = Counter(dialogue.__name__ for dialogue in all_dialogues())
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("proof", sorted({proof for entry in REQUIREMENTS for proof in entry.proofs}))
def test_a_proof_elsewhere_exists(proof):
    path, _, function = proof.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert function in functions


def test_every_module_of_dialogues_is_found():
    package = Path(__file__).with_name("dialogues")
    found = {importlib.import_module(dialogue.__module__).__name__.rpartition(".")[2] for dialogue in all_dialogues()}
    assert {path.stem for path in package.glob("*.py")} - {"__init__"} == found
