"""A history as the rules read it: by message, by session, by pair of clients."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from tests.chaos.history import GARBLED, LIVE, STORED, History, Op, Record

AROUND_SECONDS = 20.0
"""How far around a message its timeline shows the sessions of its two ends."""
FATES = frozenset({"expired", "parked"})


@dataclass(slots=True)
class Message:
    """Everything that is known of one message: one id of one sender."""

    sender: str
    id: str
    recipient: str = ""
    invokes: list[Record] = field(default_factory=list)
    oks: list[Record] = field(default_factory=list)
    fails: list[Record] = field(default_factory=list)
    unknowns: list[Record] = field(default_factory=list)
    receives: list[Record] = field(default_factory=list)
    fates: list[Record] = field(default_factory=list)

    @property
    def accepted(self) -> Record | None:
        """The first receipt."""
        return self.oks[0] if self.oks else None

    @property
    def stored(self) -> bool:
        return bool(self.oks) and self.oks[0].tier == STORED

    @property
    def live(self) -> bool:
        return bool(self.oks) and self.oks[0].tier == LIVE

    @property
    def delivered(self) -> Record | None:
        """The first time that its recipient saw it whole."""
        return next((one for one in self.receives if one.client == self.recipient and one.result != GARBLED), None)

    @property
    def refused(self) -> bool:
        """Whether every attempt was answered, and none by anything but a refusal."""
        return bool(self.fails) and not self.oks and not self.unknowns and len(self.fails) == len(self.invokes)


@dataclass(slots=True)
class Stay:
    """One session of a client: ``until`` is infinite if it never ended."""

    session: str
    since: float
    until: float = float("inf")


class View:
    """Index over a history. Records of equal time keep the order in which they were written."""

    def __init__(self, history: History) -> None:
        self.records: Sequence[Record] = sorted(history.records, key=attrgetter("at"))
        self.faults = history.faults
        self.messages: dict[tuple[str, str], Message] = {}
        self.stays: dict[str, list[Stay]] = defaultdict(list)
        self.notices: dict[tuple[str, str], list[Record]] = defaultdict(list)
        """Notices about friends, by who heard them and about whom."""
        self.gaps: list[Record] = []
        self.end = self.records[-1].at if self.records else 0.0
        for record in self.records:
            self._enter(record)

    def _enter(self, record: Record) -> None:
        match record.op:
            case Op.INVOKE:
                message = self._message(record)
                message.invokes.append(record)
                message.recipient = message.recipient or record.recipient
            case Op.OK:
                self._message(record).oks.append(record)
            case Op.FAIL:
                self._message(record).fails.append(record)
            case Op.UNKNOWN:
                self._message(record).unknowns.append(record)
            case Op.RECV:
                self._message(record).receives.append(record)
            case Op.NOTICE if record.result in FATES:
                self._message(record).fates.append(record)
            case Op.NOTICE:
                self.notices[record.client, record.sender].append(record)
            case Op.OPENED:
                self.stays[record.client].append(Stay(record.session, record.at))
            case Op.CLOSED:
                for stay in self.stays[record.client]:
                    if stay.session == record.session:
                        stay.until = min(stay.until, record.at)
            case Op.GAP:
                self.gaps.append(record)
            case Op.ACK:
                return  # kept for timelines

    def _message(self, record: Record) -> Message:
        key = record.sender, record.id
        return self.messages.setdefault(key, Message(*key))

    def stayed(self, client: str, since: float, until: float) -> bool:
        """Tell whether one session of a client lasted all that time."""
        return any(stay.since <= since and stay.until >= until for stay in self.stays[client])

    def ended_near(self, client: str, at: float, seconds: float) -> bool:
        """Tell whether a client's session began or ended, or it had none, around a moment."""
        return not self.stayed(client, at - seconds, min(at + seconds, self.end)) if client in self.stays else False

    def timeline(self, message: Message) -> tuple[Record, ...]:
        """Return all about one message, and the sessions of its two ends around it."""
        own = {id(record) for record in self._of(message)}
        times = [record.at for record in self._of(message)]
        low, high = min(times) - AROUND_SECONDS, max(times) + AROUND_SECONDS
        ends = {message.sender, message.recipient}
        return tuple(
            record
            for record in self.records
            if id(record) in own
            or (record.client in ends and record.op in {Op.OPENED, Op.CLOSED, Op.GAP} and low <= record.at <= high)
        )

    def between(self, clients: Sequence[str], since: float, until: float) -> tuple[Record, ...]:
        """Return what some clients saw in a span of time."""
        return tuple(one for one in self.records if one.client in clients and since <= one.at <= until)

    def _of(self, message: Message) -> Iterator[Record]:
        for part in (message.invokes, message.oks, message.fails, message.unknowns, message.receives, message.fates):
            yield from part
