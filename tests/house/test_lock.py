"""``requirements.lock`` holds everything, exactly, by its hashes, from nowhere in particular."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.tree import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRY = re.compile(
    r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)(?: ; [^\\\n]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)",
    re.MULTILINE,
)


def _wanted() -> list[Requirement]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [
        *pyproject["build-system"]["requires"],
        *pyproject["project"]["dependencies"],
        *(line for extra in pyproject["project"]["optional-dependencies"].values() for line in extra),
        *(line for group in pyproject["dependency-groups"].values() for line in group),
    ]
    return [Requirement(line) for line in lines]


def test_the_lock_holds_nothing_but_exact_versions_with_hashes():
    assert ENTRY.sub("", LOCK).strip() == ""


def test_every_dependency_is_locked_at_a_version_that_is_allowed():
    locked: dict[str, list[Version]] = {}
    for name, version, _ in ENTRY.findall(LOCK):
        locked.setdefault(canonicalize_name(name), []).append(Version(version))
    for wanted in _wanted():
        versions = locked.get(canonicalize_name(wanted.name), [])
        assert versions, f"{wanted.name} is not in requirements.lock; run make lock"
        assert all(version in wanted.specifier for version in versions), f"{wanted}: {versions}"


def test_the_lock_names_no_address():
    assert "://" not in LOCK
