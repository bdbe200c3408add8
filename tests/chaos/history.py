"""What clients did and saw, in the order in which it happened: the only witness that the checker believes (OPS-19)."""

import json
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self

STORED = "stored"
LIVE = "live"


class Op(StrEnum):
    """What a record is about. A send ends in one of three ways, or is still under way."""

    INVOKE = "send-invoke"  # the frame goes to the socket; ``result`` is the type of the request
    OK = "send-ok"  # a receipt came; ``result`` is its status
    FAIL = "send-fail"  # it was refused and certainly not stored; ``result`` is the code
    UNKNOWN = "send-unknown"  # nobody knows: no answer, or one that says so in ``result``
    RECV = "recv"  # ``result`` is one of the words below; ``detail`` the offset
    ACK = "ack"  # everything up to the offset in ``detail`` is safe with this client
    NOTICE = "notice"  # ``result`` is the type of the frame; ``detail`` its offset, if it is mail
    OPENED = "opened"  # the client is identified; ``result`` is the node
    CLOSED = "closed"  # the session is over for the client; ``result`` says why
    GAP = "gap"  # live messages may be missing, or the store says that it lost its tail


FIRST = "first"
REPEAT = "repeat"
DIED = "died"
"""The client broke off on it: it took no effect, and was not acknowledged."""
GARBLED = "garbled"
"""The content is not what this sender said to this recipient under this id."""


class Record(NamedTuple):
    """One thing that one client did or saw. ``at`` is in seconds of the machine's steady clock."""

    at: float
    client: str
    session: str
    op: Op
    id: str = ""
    sender: str = ""
    recipient: str = ""
    tier: str = ""
    result: str = ""
    detail: str = ""

    def __str__(self) -> str:
        parts = [f"{self.at:12.4f}", f"{self.client:>12}", f"{self.session:<10}", f"{self.op:<12}"]
        parts += [word for word in (self.id, self.tier, self.result, self.detail) if word]
        if self.sender or self.recipient:
            parts.append(f"({self.sender} -> {self.recipient})")
        return "  ".join(parts)


class Fault(NamedTuple):
    """Something that was done to the cluster, from ``at`` to ``until``."""

    at: float
    until: float
    what: str


class History:
    """All records of one run, and the faults that were played meanwhile."""

    def __init__(self, records: Iterable[Record] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.records = list(records)
        self.faults: list[Fault] = []
        self.clock = clock

    def note(self, client: str, session: str, op: Op, **what: str) -> Record:
        """Write down what happens now."""
        record = Record(self.clock(), client, session, op, **what)
        self.records.append(record)
        return record

    def fault(self, what: str, since: float) -> None:
        """Write down what was done from ``since`` until now."""
        self.faults.append(Fault(since, self.clock(), what))

    def save(self, path: Path) -> None:
        """Write one JSON array a line; faults come last, as arrays of three."""
        lines = [json.dumps(entry, ensure_ascii=False) for entry in (*self.records, *self.faults)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote."""
        history = cls()
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if len(entry) == len(Fault._fields):
                history.faults.append(Fault(*entry))
            else:
                history.records.append(Record(*entry)._replace(op=Op(entry[3])))
        return history
