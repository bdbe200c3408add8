"""What every part of the office works with."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from magi.client.client import Client
from magi.client.errors import ProfileError
from magi.client.records import wall_ms
from magi.daemon.pulse import Pulse
from magi.desk import config
from magi.desk.config import Config
from magi.desk.places import Places
from magi.desk.ports import DeskStore

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Premises:
    """``client`` and ``store`` belong to each other. ``config`` returns what the owner's settings say now."""

    profile: str
    client: Client
    store: DeskStore
    config: Callable[[], Config]
    servers: tuple[str, ...] = ()
    now_ms: Callable[[], int] = wall_ms
    pulse: Pulse = field(default_factory=Pulse)


def read_again(places: Places, first: Config) -> Callable[[], Config]:
    """Return what reads ``config.toml`` whenever it is asked: the owner may change it while the daemon runs. A file that makes
    no sense, even for a moment, changes nothing."""
    known = first

    def read() -> Config:
        nonlocal known
        try:
            known = Config.of(config.read(places.settings))
        except ProfileError as error:
            _log.warning("settings.unreadable error=%s", type(error).__name__)
        return known

    return read
