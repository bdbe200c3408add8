"""Opens the office of a profile in this process; the lock comes first, and goes last (CLI-23)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from magi.client.client import Client
from magi.daemon.office import Office
from magi.daemon.premises import Premises, read_again
from magi.desk import private
from magi.desk.profile import Profile


@asynccontextmanager
async def opened(profile: Profile, *, daemon: bool) -> AsyncIterator[Office]:
    """Hold the profile and give its office. ``daemon``: whether this process serves other ones.

    Raises:
        StoreLocked: Another process has the profile. Nothing was opened.
        ProfileError: The profile cannot be used.
    """
    async with AsyncExitStack() as ends:
        lock = ends.enter_context(profile.hold())
        store = profile.store(lock)
        await store.open()
        ends.push_async_callback(store.close)
        client = Client(profile.servers, profile.username, nickname=profile.nickname, store=store)
        premises = Premises(
            profile=profile.name,
            client=client,
            store=store,
            config=read_again(profile.places, profile.settings.config),
            servers=profile.servers,
        )
        office = Office(premises, runs=await asyncio.to_thread(_runs, profile), daemon=daemon)
        ends.push_async_callback(office.close)
        yield await office.open()


def _runs(profile: Profile) -> Path:
    """Return the directory for the runs of responders (CLI-40)."""
    runs = profile.places.data / "runs"
    private.make_directory(runs)
    return runs
