import json

import pytest

from magi.cli.setup.entries import Entries, read
from magi.cli.setup.writing import Unusable

OURS = {"command": "/opt/magi", "args": ["mcp"]}
HOOK = {"type": "command", "command": "/opt/magi hook stop --client codex"}
THEIRS = {"type": "command", "command": "beep"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "settings.json"


def changed(path, *, undo=False, listed=True, text=None):
    """Carry a change out and return the data; ``None`` if there was nothing to do."""
    if text is not None:
        path.write_text(text if isinstance(text, str) else json.dumps(text))
    hooks = {"Stop": [{"hooks": [HOOK]}]} if listed else {}
    change = Entries(path, {("mcpServers", "magi"): OURS}, hooks).change(undo=undo)
    if change is None:
        return None
    change.carry_out()
    return json.loads(path.read_text()) if path.exists() else {}


def test_keys_keep_their_order_and_unknown_ones_their_values(path):
    found = changed(path, text='{"z": [1, 2.5, null], "mcpServers": {"b": {}, "a": {}}, "é": "\\u00e9"}')
    assert list(found) == ["z", "mcpServers", "é", "hooks"]
    assert list(found["mcpServers"]) == ["b", "a", "magi"]
    assert (found["z"], found["é"]) == ([1, 2.5, None], "é")


def test_indent_and_line_ends_are_those_of_the_file(path):
    path.write_bytes(b'{\r\n   "a": 1\r\n}')
    changed(path)
    text = path.read_bytes().decode()
    assert text.startswith('{\r\n   "a": 1,\r\n   "mcpServers": {\r\n      "magi"')
    assert text.endswith("}")
    assert text.count("\n") == text.count("\r\n")


def test_keys_that_the_owner_added_to_our_entry_stay(path):
    changed(path)
    data = json.loads(path.read_text())
    data["mcpServers"]["magi"] |= {"trust": True, "args": ["mcp", "--old"]}
    found = changed(path, text=data)
    assert found["mcpServers"]["magi"] == {"command": "/opt/magi", "args": ["mcp"], "trust": True}


def test_an_entry_of_somebody_elses_with_our_name_is_left_alone(path):
    text = '{"mcpServers": {"magi": {"command": "npx", "args": ["other-magi"]}}}'
    with pytest.raises(Unusable, match="somebody else's"):
        changed(path, text=text)
    assert changed(path, undo=True) is None
    assert path.read_text() == text


def test_a_handler_that_somebody_put_into_our_group_stays(path):
    data = changed(path)
    data["hooks"]["Stop"][0]["hooks"].append(THEIRS)
    path.write_text(json.dumps(data))
    assert changed(path, undo=True)["hooks"] == {"Stop": [{"hooks": [THEIRS]}]}


def test_our_handlers_are_taken_out_wherever_they_are(path):
    text = {"hooks": {"Old": [{"hooks": [THEIRS, HOOK]}, HOOK], "Stop": [{"matcher": "x", "hooks": [HOOK]}], "odd": 1}}
    assert changed(path, undo=True, text=text) == {"hooks": {"Old": [{"hooks": [THEIRS]}], "odd": 1}}


def test_what_was_empty_before_us_stays_empty(path):
    before = {"mcpServers": {}, "hooks": {"Stop": []}}
    changed(path, text=before)
    path.write_text(path.read_text().replace("{", '{"mine": 1,', 1))
    assert changed(path, undo=True) == {"mine": 1, **before}


def test_an_empty_object_that_we_never_touched_is_no_business_of_ours(path):
    assert changed(path, undo=True, text="{}") is None
    assert path.read_text() == "{}"
    path.unlink()
    assert changed(path, undo=True) is None


def test_a_file_that_is_there_because_of_us_goes_with_us(path):
    changed(path)
    changed(path, undo=True)
    assert not path.exists()


def test_a_frame_goes_with_the_last_entry(path):
    entries = Entries(path, listed={"stop": [HOOK]}, frame={"version": 1})
    entries.change(undo=False).carry_out()
    assert json.loads(path.read_text())["version"] == 1
    data = json.loads(path.read_text())
    data["hooks"]["other"] = [THEIRS]
    path.write_text(json.dumps(data))
    entries.change(undo=True).carry_out()
    assert json.loads(path.read_text()) == {"version": 1, "hooks": {"other": [THEIRS]}}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, // mine\n}',
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        "[]",
        '"x"',
        '{"a": "\\ud800"}',
        '\ufeff{"a": 1}',
    ],
)
def test_what_cannot_be_written_again_without_loss_is_left_alone(path, text):
    path.write_text(text)
    with pytest.raises(Unusable) as caught:
        changed(path)
    assert "left alone" in str(caught.value)
    assert json.loads(caught.value.snippet)["mcpServers"]["magi"] == OURS
    assert path.read_text() == text


@pytest.mark.parametrize("text", ['{"hooks": []}', '{"hooks": {"Stop": {}}}', '{"mcpServers": "none"}'])
def test_a_file_of_another_shape_is_left_alone(path, text):
    with pytest.raises(Unusable, match="left alone"):
        changed(path, text=text)
    assert changed(path, undo=True) is None
    assert path.read_text() == text


def test_a_group_of_ours_that_is_in_its_place_is_not_moved(path):
    changed(path)
    data = json.loads(path.read_text())
    data["hooks"]["Stop"].append({"hooks": [THEIRS]})
    assert changed(path, text=data) is None


def test_an_object_is_read_as_it_is():
    assert read('{"b": 1, "a": {"c": []}}') == {"b": 1, "a": {"c": []}}
    with pytest.raises(ValueError, match="twice"):
        read('{"a": {"b": 1, "b": 1}}')
