import pytest

from tests.unit.magi.cli.setup.homes import home_of


@pytest.fixture
def home(request, monkeypatch, tmp_path):
    """The home of a user of the client that the test is about."""
    made = home_of(request.param, tmp_path)
    # Programs of the client are found as in a shell of its user.
    monkeypatch.setenv("PATH", made.environment["PATH"])
    return made
