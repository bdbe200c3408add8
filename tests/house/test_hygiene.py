"""What no file may hold."""

import ast
import re

import pytest

from tests.house.tree import PACKAGES, at, called, calls, modules, parsed, texts

# Written so that this file does not hold them itself.
PLACES = re.compile("|".join(("/" + "work/", "/" + "root/", "/tmp/" + "brief", "/" + "Users/")))
INDEXES = re.compile(
    r"|".join(("pypi" + r"\.org", "files" + r"\.pythonhosted", "registry" + r"\.npmjs", "index" + "-url="))
)
WRITTEN = list(texts())

FORBIDDEN_CALLS = {
    "eval": "it runs whatever it is given",
    "exec": "it runs whatever it is given",
    "os.system": "it goes through a shell",
    "os.popen": "it goes through a shell",
    "time.sleep": "it stops the event loop",
    "yaml.load": "it makes any object",
    "breakpoint": "it waits for somebody",
}
FORBIDDEN_MODULES = frozenset({"pickle", "marshal", "shelve", "dill"})
SOURCES = pytest.mark.parametrize("module", modules(*PACKAGES), ids=str)


def test_there_are_files_to_look_at():
    assert len(WRITTEN) > 200


@pytest.mark.parametrize("pattern", [PLACES, INDEXES], ids=["places", "indexes"])
def test_no_file_names_a_place_of_one_machine(pattern):
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in WRITTEN
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


@SOURCES
def test_no_module_calls_what_is_forbidden(module):
    for call in calls(parsed(module)):
        reason = FORBIDDEN_CALLS.get(called(call))
        assert reason is None, f"{at(module, call)}: {reason}"
        shell = [word for word in call.keywords if word.arg == "shell"]
        assert not shell, f"{at(module, call)} goes through a shell"


@SOURCES
def test_no_module_reads_objects_that_can_be_programs(module):
    for node in ast.walk(parsed(module)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not FORBIDDEN_MODULES.intersection(names), at(module, node)


@SOURCES
def test_nothing_is_printed_but_where_it_is_meant(module):
    lines = dict(WRITTEN)[module].splitlines()
    for call in calls(parsed(module)):
        if called(call) == "print":
            assert "# noqa: T201  " in lines[call.lineno - 1], f"{at(module, call)} prints and does not say why"


@SOURCES
def test_no_error_is_swallowed_without_a_word(module):
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, at(module, node)
            assert any(not isinstance(step, ast.Pass) for step in node.body), at(module, node)


def test_no_check_is_turned_off_without_a_reason():
    silenced = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!: [A-Z]+[0-9]+)|# mypy: ignore" + "-errors")
    for path, text in WRITTEN:
        if path.suffix == ".py":
            for number, line in enumerate(text.splitlines(), 1):
                assert not silenced.search(line) or "re.compile" in line, f"{path}:{number}"


def test_nothing_is_left_to_be_done():
    left = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert not [str(path) for path, text in WRITTEN if path.suffix in {".py", ".lua", ".md"} and left.search(text)]
