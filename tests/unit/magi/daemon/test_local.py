import pytest

from magi.client.errors import StoreLocked
from magi.daemon.local import opened
from tests.harness.offices import profile


async def test_the_profile_is_held_as_long_as_its_office_is_open(tmp_path):
    alice = profile(tmp_path, "alice", "ws://127.0.0.1:1/")
    async with opened(alice, daemon=False) as office:
        assert not (await office.status()).daemon
        assert (alice.places.data / "runs").stat().st_mode & 0o777 == 0o700
        with pytest.raises(StoreLocked):
            async with opened(alice, daemon=False):
                pass
    alice.hold().release()


async def test_what_fails_while_it_is_open_closes_everything(tmp_path):
    alice = profile(tmp_path, "alice", "ws://127.0.0.1:1/")
    with pytest.raises(RuntimeError):
        async with opened(alice, daemon=False):
            raise RuntimeError
    alice.hold().release()
