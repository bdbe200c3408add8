"""The settings of the exchange: what they are, where they come from, how they are printed."""

from exchange.settings.groups import Settings
from exchange.settings.sources import load

__all__ = ["Settings", "load"]
