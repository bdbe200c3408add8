"""Every clause that is cited has its one entry in the documents, so that no reader needs anything else."""

import re
from collections import Counter

import pytest

from tests.house.tree import ROOT, texts

PAGES = {
    "MAGI": "docs/protocols/magi.md",
    "CORAL": "docs/protocols/coralmux.md",
    "WIRE": "docs/protocols/README.md",
    "DEL": "docs/delivery.md",
    "OPS": "docs/operations.md",
    "SEC": "docs/security.md",
    "DEP": "docs/dependencies.md",
}
"""Where the clauses of a prefix are."""

CITATION = re.compile(rf"\b({'|'.join(PAGES)})-([0-9]+)\b")
ENTRY = re.compile(r"^- \*\*([A-Z]+-[0-9]+)\b[^*]*\*\*", re.MULTILINE)
"""An entry is an item of a list that begins with its number in bold: ``- **MAGI-12 Target first.** ...``"""
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SPOKEN = {".c", ".lua", ".md", ".py", ".toml"}
WRITTEN = [(path, text) for path, text in texts() if path.suffix in SPOKEN or path.name == "Makefile"]


def entries(prefix: str) -> list[str]:
    """Return the clauses that the page of a prefix has, in its order."""
    page = (ROOT / PAGES[prefix]).read_text(encoding="utf-8")
    return [clause for clause in ENTRY.findall(page) if clause.startswith(f"{prefix}-")]


@pytest.mark.parametrize("prefix", PAGES)
def test_every_cited_clause_has_an_entry(prefix):
    known = set(entries(prefix))
    missing = {
        f"{clause[0]} ({path})"
        for path, text in WRITTEN
        if str(path) != PAGES[prefix]  # the page itself also names what it does not have yet
        for clause in CITATION.finditer(text)
        if clause[1] == prefix and clause[0] not in known
    }
    assert not missing


@pytest.mark.parametrize("prefix", PAGES)
def test_no_clause_has_two_entries(prefix):
    assert [clause for clause, count in Counter(entries(prefix)).items() if count > 1] == []


def test_every_wire_has_an_entry_for_every_clause():
    assert set(entries("MAGI")) == {f"MAGI-{number}" for number in range(1, 56)}
    assert set(entries("CORAL")) == {f"CORAL-{number}" for number in range(1, 38)}
    assert set(entries("WIRE")) == {f"WIRE-{number}" for number in range(1, 15)}


def test_an_entry_that_is_missing_is_noticed():
    assert ENTRY.findall("- **MAGI-1 Paths.** One.\n- **MAGI-2** Two, as in **MAGI-3**.\n") == ["MAGI-1", "MAGI-2"]
    assert [found[0] for found in CITATION.finditer("# DEL-31, SEC-8 to SEC-13, MAGI-29.f, UTF-8")] == [
        "DEL-31",
        "SEC-8",
        "SEC-13",
        "MAGI-29",
    ]


def test_links_between_documents_lead_somewhere():
    documents = [(path, text) for path, text in WRITTEN if path.suffix == ".md"]
    broken = {
        f"{path}: {target}"
        for path, text in documents
        for target in LINK.findall(text)
        if "://" not in target and not (ROOT / path.parent / target).exists()
    }
    assert not broken
