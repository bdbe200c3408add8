"""Who may become a WebSocket, and which wire it speaks: decided by path, origin and room (MAGI-1, MAGI-2, SEC-22)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exchange.front import Conversation, Refusal, SocketRules, Upgrade, Welcome

RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire on this listener: the paths it owns, what it demands of sockets, and who talks on them.

    Pages of ``any_origin`` may connect where it is no protection to refuse some: who has no token gets nowhere (WIRE-2).
    """

    dialect: str
    owns: Callable[[str], bool]
    rules: SocketRules
    converse: Callable[[Upgrade], Conversation]
    any_origin: bool = False


Count = Callable[[str, str], None]
"""Is told dialect and outcome of every upgrade."""


class Doorman:
    """Decides on upgrades, at once and without asking the store (``front.Doorman``)."""

    def __init__(
        self,
        wires: Sequence[Wire],
        *,
        origins: frozenset[str],
        connections_count: Callable[[], int],
        connections_most: int,
        count: Count,
    ) -> None:
        self.draining = False
        self._wires = tuple(wires)
        self._origins = origins
        self._connections_count = connections_count
        self._connections_most = connections_most
        self._count = count

    def refuse(self) -> None:
        """Welcome nobody from now on: this node is about to stop."""
        self.draining = True

    def __call__(self, upgrade: Upgrade) -> Welcome | Refusal:
        """Welcome an upgrade to its wire, or say why not."""
        wire = next((wire for wire in self._wires if wire.owns(upgrade.path)), None)
        if wire is None:
            self._count(self._wires[0].dialect, "path")
            return Refusal(404, "Not Found")
        if not (wire.any_origin or self._welcomes(upgrade.origin)):
            self._count(wire.dialect, "origin")
            return Refusal(403, "Pages of this origin may not connect here.")
        if self.draining:
            self._count(wire.dialect, "draining")
            return Refusal(503, "This node is about to stop. Please try again.", RETRY_SECONDS)
        if self._connections_count() >= self._connections_most:
            self._count(wire.dialect, "limit")
            return Refusal(503, "This node is full. Please try again.", RETRY_SECONDS)
        self._count(wire.dialect, "ok")
        return Welcome(wire.converse(upgrade), wire.rules)

    def _welcomes(self, origin: str | None) -> bool:
        return not self._origins or origin is None or origin.lower() in self._origins
