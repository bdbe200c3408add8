import tomllib

import pytest

from magi.cli.setup.table import Table
from magi.cli.setup.writing import Unusable

KEYS = {"command": "/opt/magi", "args": ["mcp"], "tool_timeout_sec": 90}
OURS = '[mcp_servers.magi]\ncommand = "/opt/magi"\nargs = ["mcp"]\ntool_timeout_sec = 90\n'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.toml"


def changed(path, text=None, *, undo=False, keys=KEYS):
    """Carry a change out and return the text; ``None`` if there was nothing to do."""
    if text is not None:
        path.write_bytes(text.encode())
    change = Table(path, "mcp_servers", "magi", keys).change(undo=undo)
    if change is None:
        return None
    change.carry_out()
    return path.read_bytes().decode() if path.exists() else ""


def test_the_table_comes_last_and_the_rest_stays_as_it_is(path):
    text = '# mine\na = """\n[mcp_servers.magi]\n"""  # odd\n\n[b]\nc = 1\n'
    assert changed(path, text) == f"{text}\n{OURS}"
    assert changed(path) is None
    # Two places look like ours now, and nothing is taken out on a guess.
    with pytest.raises(Unusable, match="cannot change"):
        changed(path, undo=True)


def test_a_file_without_an_end_of_its_last_line_has_none_again(path):
    text = "a = 1"
    assert changed(path, text) == f"{text}\n\n{OURS}"
    assert changed(path, undo=True) == text


def test_line_ends_are_those_of_the_file(path):
    found = changed(path, "a = 1\r\n")
    assert found.count("\n") == found.count("\r\n") == 6


def test_a_file_that_is_there_because_of_us_goes_with_us(path):
    assert changed(path) == OURS
    assert changed(path, undo=True) == ""
    assert not path.exists()


@pytest.mark.parametrize("header", ["[mcp_servers.magi]", '[mcp_servers."magi"] # x', "  [ mcp_servers . 'magi' ]"])
def test_the_table_is_renewed_in_its_place_and_keys_of_the_owner_stay(path, header):
    text = f'{header}\ncommand = "/old/magi"\nargs = ["mcp"]\nenabled = true # yes\n\n# next\n[b]\nc = 1\n'
    found = changed(path, text)
    assert found == f"{OURS}enabled = true # yes\n\n# next\n[b]\nc = 1\n"
    assert changed(path) is None


def test_tables_below_ours_go_with_it(path):
    text = f"a = 1\n\n{OURS}\n[mcp_servers.magi.tools.magi_ask]\napproval_mode = \"approve\"\n\n[mcp_servers.magi2]\ncommand = 'x'\n"
    assert changed(path, text, undo=True) == "a = 1\n\n[mcp_servers.magi2]\ncommand = 'x'\n"


def test_a_table_of_somebody_elses_with_our_name_is_left_alone(path):
    text = '[mcp_servers.magi]\ncommand = "npx"\n'
    with pytest.raises(Unusable, match="somebody else's"):
        changed(path, text)
    assert changed(path, undo=True) is None
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "a = ",
        "mcp_servers = {}\n",
        "[mcp_servers]\nmagi = {command = '/old/magi', args = ['mcp']}\n",
        "mcp_servers.magi.command = '/old/magi'\nmcp_servers.magi.args = ['mcp']\n",
        "[mcp_servers.magi]\ncommand = '/old/magi'\nargs = [\n  'mcp',\n]\n",
        "a = '''\n[mcp_servers.magi]\n'''\n[mcp_servers.magi]\ncommand='/old/magi'\nargs=['mcp']\n",
        "mcp_servers = 7\n",
    ],
)
def test_what_cannot_be_changed_without_loss_is_left_alone(path, text):
    with pytest.raises(Unusable, match="left alone") as caught:
        changed(path, text)
    assert tomllib.loads(caught.value.snippet)["mcp_servers"]["magi"] == KEYS
    assert path.read_text() == text


def test_an_inline_entry_is_not_torn_out(path):
    text = "[mcp_servers]\nmagi = {command = '/opt/magi', args = ['mcp']}\n"
    with pytest.raises(Unusable, match="cannot change"):
        changed(path, text, undo=True)
    assert path.read_text() == text
