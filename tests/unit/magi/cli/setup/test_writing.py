import pytest

from magi.cli.setup.writing import FileChange, RunChange, Unusable, backup_of, text_of


def test_a_change_is_shown_line_by_line(tmp_path):
    path = tmp_path / "f"
    shown = FileChange(path, "a\nb\n", "a\nc\n").shown().splitlines()
    assert shown == [f"--- {path}", f"+++ {path}", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    assert "--- /dev/null" in FileChange(path, None, "a\n").shown()


def test_a_file_keeps_its_mode_and_its_text_from_before(tmp_path):
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o640)
    FileChange(path, "old", "new").carry_out()
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert (backup_of(path).read_text(), backup_of(path).stat().st_mode & 0o777) == ("old", 0o640)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["f", "f.magi-backup"]


def test_a_new_file_is_its_owners_and_gets_its_directory(tmp_path):
    path = tmp_path / "d/f"
    FileChange(path, None, "new").carry_out()
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert not backup_of(path).exists()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles/f").write_text("old")
    (tmp_path / "f").symlink_to(tmp_path / "dotfiles/f")
    FileChange(tmp_path / "f", "old", "new").carry_out()
    assert (tmp_path / "f").is_symlink()
    assert (tmp_path / "dotfiles/f").read_text() == "new"


def test_a_file_that_changed_since_it_was_shown_is_left_alone(tmp_path):
    path = tmp_path / "f"
    path.write_text("the client's")
    with pytest.raises(Unusable, match="changed by somebody else"):
        FileChange(path, "old", "new").carry_out()
    assert path.read_text() == "the client's"
    assert not backup_of(path).exists()


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "f"
    path.write_text("old")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(Unusable, match="cannot be written: Permission denied"):
        FileChange(path, "old", "new").carry_out()
    assert [one.name for one in tmp_path.iterdir()] == ["f"]
    assert path.read_text() == "old"


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "f").write_bytes(b"\xff")
    with pytest.raises(Unusable, match="not UTF-8"):
        text_of(tmp_path / "f")
    with pytest.raises(Unusable, match="cannot be read"):
        text_of(tmp_path)


def test_commands_run_in_order_and_a_failure_names_its_status(tmp_path, monkeypatch):
    program = tmp_path / "client"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\n[ "$1" != no ] || exit 3\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    RunChange([["client", "a", "b c"], ["client", "d"]]).carry_out()
    assert (tmp_path / "log").read_text() == "a b c\nd\n"
    assert RunChange([["client", "b c"]]).shown() == "$ client 'b c'"
    with pytest.raises(Unusable, match="ended with status 3"):
        RunChange([["client", "no"]]).carry_out()
    with pytest.raises(Unusable, match="is not found"):
        RunChange([["another"]]).carry_out()
