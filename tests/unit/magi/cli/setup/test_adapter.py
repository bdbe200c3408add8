from magi.cli.setup.adapter import LEVELS, Home
from magi.cli.setup.clients import CLIENTS


def test_a_client_is_here_if_its_directory_or_its_program_is(tmp_path):
    codex = CLIENTS["codex"]
    home = Home(tmp_path / "h", {"PATH": str(tmp_path / "bin")})
    assert not codex.is_here(home)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/codex").write_text("#!/bin/sh\n")
    (tmp_path / "bin/codex").chmod(0o755)
    assert codex.is_here(home)
    (tmp_path / "h/.gemini").mkdir(parents=True)
    assert CLIENTS["gemini"].is_here(home)


def test_a_directory_that_a_variable_names_counts_if_it_is_absolute(tmp_path):
    assert Home(tmp_path, {"X": "/srv/x"}).directory("X", ".x") == (tmp_path / "/srv/x")
    assert Home(tmp_path, {"X": "x"}).directory("X", ".x") == tmp_path / ".x"


def test_the_own_home_is_that_of_the_environment(tmp_path):
    assert Home.own({"HOME": str(tmp_path)}).path == tmp_path


def test_every_client_is_of_a_level_that_is_explained():
    assert {one.level for one in CLIENTS.values()} <= set(LEVELS)
