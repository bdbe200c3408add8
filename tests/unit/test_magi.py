"""Twin of ``magi/__init__.py``: the public API (CLI-3)."""

import inspect
import subprocess
import sys

import pytest

import magi
from magi.client import errors

API = """
    AlreadySettled Answer Ask BadFrame Client Declined Displaced Event Expired Friend FriendAway Invite InviteRefused Kind
    MagiError MemoryStore NameTaken NotConnected NotFriends Notice Origin OutcomeUnknown ProfileError Question RateLimited
    Receipt Refused State StillOpen Store StoreLocked TokenRefused TooLarge Unavailable
""".split()


def test_the_public_api_is_this_and_sorted():
    assert magi.__all__ == API == sorted(API)


@pytest.mark.parametrize("name", API)
def test_every_name_is_there_and_documented(name):
    found = getattr(magi, name)
    assert found.__name__ == name
    assert inspect.getdoc(found)


def test_every_error_is_public():
    of_client = {name for name, one in vars(errors).items() if inspect.isclass(one) and issubclass(one, Exception)}
    assert of_client <= set(API)


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="Bridge"):
        magi.Bridge
    assert set(API) <= set(dir(magi))


@pytest.mark.parametrize("name", ["Ask", "Client", "Question"])
def test_every_public_method_is_documented(name):
    for method, found in inspect.getmembers(getattr(magi, name)):
        if not method.startswith("_"):
            assert inspect.getdoc(found), f"{name}.{method}"


def test_importing_it_loads_nothing():
    script = "import sys, magi; print(magi.__version__, *sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    version, *loaded = run.stdout.split()
    assert version == magi.__version__
    assert not {"asyncio", "msgspec", "websockets", "magi.client"} & set(loaded)
