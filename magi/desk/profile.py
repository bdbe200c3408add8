"""One identity on this machine: its settings, its key, and the store of its owner's desk (CLI-19)."""

import os
from collections.abc import Mapping
from pathlib import Path

from magi.client import addresses
from magi.client.errors import ProfileError, StoreLocked
from magi.desk import config, private
from magi.desk.config import Config, Limits, Responder
from magi.desk.lock import Lock
from magi.desk.places import Places
from magi.desk.ports import Mode
from magi.desk.settings import Settings, settle
from magi.desk.store import SqliteStore

KEY_BYTES = 32


class Profile:
    """What one profile is set to, for this run. Flags and environment come before the file (CLI-20)."""

    def __init__(self, settings: Settings) -> None:
        """Use :meth:`load` or :meth:`create`."""
        self.settings = settings

    @classmethod
    def load(cls, flags: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ) -> "Profile":
        """Return a profile that was created before. ``flags`` are those of :func:`magi.desk.settings.settle`.

        Raises:
            ProfileError: It was not created yet, something in it makes no sense, or others can read its secrets.
        """
        profile = cls(settle(flags, environment))
        places = profile.places
        if not places.identity_key.exists():
            raise ProfileError(
                f"The profile {places.profile} is not set up. Run: magi register -u NAME{_option(places)}"
            )
        private.check(places.data)
        private.check(places.identity_key)
        return profile

    @classmethod
    def create(
        cls, flags: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ
    ) -> "Profile":
        """Make a profile: its directories, its settings and its key. One that is there already keeps its key, and takes
        over those of server, username and nickname that flags or environment name.

        Raises:
            ProfileError: There is no username, the profile has another username, or something cannot be written.
            StoreLocked: A process uses the profile.
        """
        settings = settle(flags, environment)
        places = settings.places
        if not settings.username:
            raise ProfileError("A profile needs a username. Give one with -u NAME or MAGI_USERNAME.")
        for directory in (places.config, places.data, places.state):
            private.make_directory(directory)
        with Lock(places.lock):
            known = config.Config.of(config.read(places.settings)).username
            if known and known != settings.username and places.identity_key.exists():
                raise ProfileError(
                    f"The profile {places.profile} belongs to {known}. Use another one for {settings.username}: -p NAME"
                )
            said = {"username": settings.username, "nickname": settings.nickname, "servers": list(settings.servers)}
            config.change(places.settings, {key: value for key, value in said.items() if value})
            if not places.identity_key.exists():
                private.write(places.identity_key, os.urandom(KEY_BYTES))
        return cls.load(flags, environment)

    @property
    def name(self) -> str:
        """The profile's name."""
        return self.settings.places.profile

    @property
    def places(self) -> Places:
        """Where its files are."""
        return self.settings.places

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses of its exchanges.

        Raises:
            ProfileError: None is set; there is no built-in one.
        """
        return addresses.listed(self.settings.servers)

    @property
    def username(self) -> str:
        """Its name at the exchange.

        Raises:
            ProfileError: None is set.
        """
        if not self.settings.username:
            raise ProfileError(
                f"{self.places.settings} has no username. Run: magi register -u NAME{_option(self.places)}"
            )
        return self.settings.username

    @property
    def nickname(self) -> str:
        """What others see first; the part of the username before the @ if none is set."""
        return self.settings.nickname or self.username.partition("@")[0]

    @property
    def default_mode(self) -> Mode:
        """The mode of a new friend."""
        return self.settings.config.default_mode

    @property
    def responder(self) -> Responder:
        """The commands that may answer."""
        return self.settings.config.responder

    @property
    def limits(self) -> Limits:
        """How much may be."""
        return self.settings.config.limits

    def change(self, changes: Mapping[str, object]) -> Config:
        """Set keys of ``config.toml`` (dotted; ``None`` removes one) and return what it says now. This object stays as it is.

        Raises:
            ProfileError: They make no sense, or the file cannot be written.
        """
        return config.change(self.places.settings, changes)

    def hold(self) -> Lock:
        """Take the profile for this process; key and store are opened with what this returns.

        Raises:
            StoreLocked: Another process has it; the message names its id.
        """
        return Lock(self.places.lock)

    def identity_key(self, lock: Lock) -> bytes:
        """Return the 32 bytes of the name key.

        Raises:
            ProfileError: Others can read it, or it is not 32 bytes long.
            StoreLocked: The lock is not held, or is another profile's.
        """
        self._check(lock)
        key = private.read(self.places.identity_key)
        if key is None or len(key) != KEY_BYTES:
            raise ProfileError(
                f"{self.places.identity_key} is damaged: it must have {KEY_BYTES} bytes. Restore a copy of it."
            )
        return key

    def store(self, lock: Lock) -> SqliteStore:
        """Return its store, not opened yet.

        Raises:
            StoreLocked: The lock is not held, or is another profile's.
        """
        self._check(lock)
        return SqliteStore(self.places.store, inbox_bytes=self.limits.inbox_bytes)

    def _check(self, lock: Lock) -> None:
        if not lock.held or Path(lock.path) != self.places.lock:
            raise StoreLocked(f"The lock {self.places.lock} is not held.")


def _option(places: Places) -> str:
    return "" if places.profile == "default" else f" -p {places.profile}"
