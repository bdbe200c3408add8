"""What is different about the cluster of a scenario: nothing, or a protection that is switched off (OPS-18)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.harness.cluster import EXCHANGE

LAUNCH = "tests.chaos.launch"
BROKEN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rig:
    """How the programs of a scenario are started, and how patient it is with them."""

    mutant: str = ""
    """A name out of :data:`tests.chaos.mutants.MUTANTS`, for nodes and workers."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """They go before those of the scenario."""
    store_options: Sequence[str] | None = None
    """Replace those of the scenario."""
    patience_seconds: float = float("inf")
    """The longest that is waited for anything, and much less once something is broken: for who only wants to know that."""

    def launch(self, *options: str) -> Sequence[str]:
        """Return how a program is started, with options of :mod:`tests.chaos.launch` besides."""
        words = (*options, *(("--mutant", self.mutant) if self.mutant else ()))
        return (LAUNCH, *words) if words else EXCHANGE

    def patience(self, seconds: float, *, broken: bool) -> float:
        """Return how long to wait for what may take ``seconds``; ``broken``: whether the verdict is clear."""
        if self.patience_seconds == float("inf"):
            return seconds
        return min(seconds, BROKEN_SECONDS if broken else self.patience_seconds)


SOUND = Rig()
"""Everything is as it should be."""
