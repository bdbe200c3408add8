"""What ``magi doctor`` finds at one link of the path between an owner and its friends."""

from dataclasses import dataclass, field

from magi.cli.statuses import Status


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``said`` and ``advice`` are for the owner and may hold names; ``facts`` are for anybody, and hold none."""

    link: str
    said: str
    status: Status = Status.DONE
    advice: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    tested: bool = True
    """Whether the link could be looked at."""

    @property
    def broken(self) -> bool:
        """Whether the path ends here."""
        return self.status != Status.DONE
