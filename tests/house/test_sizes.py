"""How large files and functions may be, and what no file is called."""

import pytest

from tests.house.tree import PACKAGES, ROOT, at, functions, modules, parsed

LINES_MOST = 400
FUNCTION_LINES_MOST = 60
NO_NOUNS = frozenset({"base", "common", "helper", "helpers", "manager", "misc", "tools", "util", "utils"})
BOUNDED = modules(*PACKAGES, "bench", "tests/harness", "tests/house")


@pytest.mark.parametrize("module", BOUNDED, ids=str)
def test_no_module_is_too_long(module):
    count = len((ROOT / module).read_text(encoding="utf-8").splitlines())
    assert count <= LINES_MOST, f"{module} has {count} lines"


@pytest.mark.parametrize("module", BOUNDED, ids=str)
def test_no_function_is_too_long(module):
    for function in functions(parsed(module)):
        count = (function.end_lineno or function.lineno) - function.lineno + 1
        assert count <= FUNCTION_LINES_MOST, f"{at(module, function)} {function.name} has {count} lines"


def test_every_module_is_named_with_a_noun():
    everything = modules(*PACKAGES, "bench", "tests")
    assert not [module for module in everything if NO_NOUNS.intersection((*module.parent.parts, module.stem))]
