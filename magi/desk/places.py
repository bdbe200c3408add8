"""Where the files of a profile are (CLI-17, CLI-19)."""

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from magi.client.errors import ProfileError

DEFAULT_PROFILE = "default"
SOCKET_PATH_BYTES = 100
"""Below what the smallest system allows for the path of a socket."""

_NAME = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one profile, and the files in them. Nothing here touches the disk."""

    profile: str
    config: Path
    data: Path
    state: Path
    socket: Path

    @property
    def settings(self) -> Path:
        """Servers, names, consent, responder, limits; nothing secret."""
        return self.config / "config.toml"

    @property
    def identity_key(self) -> Path:
        """The seed of the name key."""
        return self.data / "identity.key"

    @property
    def tokens(self) -> Path:
        """The current and the previous resume token."""
        return self.data / "token.json"

    @property
    def store(self) -> Path:
        """Messages and everything else that the owner's desk keeps."""
        return self.data / "magi.db"

    @property
    def lock(self) -> Path:
        """Whoever has this open and locked has the key and the store."""
        return self.data / "daemon.lock"

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.state / "daemon.log"

    @classmethod
    def of(cls, profile: str, environment: Mapping[str, str] = os.environ) -> "Places":
        """Return the places of a profile: below ``MAGI_HOME`` if that is set, else where the desktop wants them.

        Raises:
            ProfileError: No profile can be called so, or ``MAGI_HOME`` is no absolute path.
        """
        check_name(profile)
        root = environment.get("MAGI_HOME", "")
        if root:
            home = Path(root).expanduser()
            if not home.is_absolute():
                raise ProfileError(f"MAGI_HOME is {root!r}, which is no absolute path.")
            data = home / "data" / profile
            return cls(
                profile, home / "config" / profile, data, home / "state" / profile, _socket(home / "run", profile)
            )
        user = Path(environment.get("HOME") or Path.home())
        config = _directory(environment, "XDG_CONFIG_HOME") or user / ".config"
        data = (_directory(environment, "XDG_DATA_HOME") or user / ".local/share") / "magi" / profile
        state = _directory(environment, "XDG_STATE_HOME") or user / ".local/state"
        runtime = _directory(environment, "XDG_RUNTIME_DIR")
        socket = _socket(runtime / "magi" if runtime else data, profile)
        return cls(profile, config / "magi" / profile, data, state / "magi" / profile, socket)


def profiles(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the names of all profiles that have settings."""
    above = Places.of(DEFAULT_PROFILE, environment).config.parent
    if not above.is_dir():
        return ()
    named = (one.name for one in above.iterdir() if _NAME.fullmatch(one.name) and (one / "config.toml").exists())
    return tuple(sorted(named))


def check_name(profile: str) -> None:
    """Refuse what is no name of a profile.

    Raises:
        ProfileError: It is none.
    """
    if not _NAME.fullmatch(profile):
        raise ProfileError(f"{profile!r} is no name of a profile: 1 to 32 of a-z, 0-9 and -.")


def _directory(environment: Mapping[str, str], name: str) -> Path | None:
    """Return the directory that a variable names. A relative one is to be ignored, as the XDG specification says."""
    path = Path(environment.get(name, ""))
    return path if path.is_absolute() else None


def _socket(directory: Path, profile: str) -> Path:
    """Return the path of the socket. One that is too long for the system gets a short name in a directory of its own."""
    path = directory / f"{profile}.sock"
    if len(os.fsencode(path)) < SOCKET_PATH_BYTES:
        return path
    short = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"magi-{os.getuid()}" / f"{short}.sock"
