"""The rules of OPS-19, one function each: what a history must not show."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.history import FIRST, GARBLED, Record
from tests.chaos.view import Message, View

PRESENCE_SECONDS = 15.0
"""How long after the end of a session its friends may not know of it yet (MAGI-5)."""
FLAP_SECONDS = 10.0
"""How much longer those wait who hear of presence (DEL-30)."""
SLACK_SECONDS = 3.0
"""What a busy machine may add to a bound that is judged from outside."""
WENT = frozenset({"friend_disconnected", "friend_offline"})
CAME = frozenset({"friend_connected", "friend_online"})
PATIENT = frozenset({"friend_offline", "friend_online"})


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise with all that was seen of it (C9)."""

    rule: str
    what: str
    text: str
    timeline: tuple[Record, ...]

    def __str__(self) -> str:
        lines = [f"{self.rule} {self.what}: {self.text}", *(f"    {record}" for record in self.timeline)]
        return "\n".join(lines)


def nothing_lost(view: View) -> Iterator[Violation]:
    """C1: mail that was accepted was received, or ended in exactly one notice to its sender, and not both."""
    for message in view.messages.values():
        told = {record.detail: record for record in message.fates}
        first = message.delivered
        if message.stored and first is None and not told:
            yield _about(view, message, "C1", "lost", "accepted, and neither received nor told of its end")
        if len(told) > 1:
            yield _about(view, message, "C1", "told twice", f"its sender got {len(told)} notices")
        expired = next((record for record in message.fates if record.result == "expired"), None)
        if expired is not None and first is not None and _delivered_all_the_same(view, first, expired):
            yield _about(view, message, "C1", "delivered and expired", "it was received, and its sender told otherwise")


def _delivered_all_the_same(view: View, first: Record, expired: Record) -> bool:
    """A receive counts against a notice if it came later, or if the session that could acknowledge it was still there."""
    return first.at > expired.at or view.stayed(first.client, first.at, expired.at)


def nothing_from_nowhere(view: View) -> Iterator[Violation]:
    """C2: nothing is received that was not sent so, by this sender, to this recipient; no notice about nothing."""
    for message in view.messages.values():
        seen = [*message.receives, *message.fates]
        if not message.invokes and seen:
            yield _about(view, message, "C2", "phantom", "nobody sent it")
            continue
        for record in message.receives:
            if record.client != message.recipient:
                yield _about(view, message, "C2", "leak", f"{record.client} got what was for {message.recipient}")
            elif record.result == GARBLED:
                yield _about(view, message, "C2", "phantom", "its content is not what was sent")
        for record in message.fates:
            if record.client != message.sender:
                yield _about(view, message, "C2", "leak", f"{record.client} was told of the mail of {message.sender}")


def no_effect_twice(view: View) -> Iterator[Violation]:
    """C3: one id has one effect, and one place in the mailbox however often it was sent."""
    for message in view.messages.values():
        effects = sum(one.result == FIRST and one.client == message.recipient for one in message.receives)
        if effects > 1:
            yield _about(view, message, "C3", "duplicate effect", f"it took effect {effects} times")
        places = {record.detail for record in message.receives if record.detail}
        if len(places) > 1:
            yield _about(view, message, "C3", "stored twice", f"it came from {len(places)} places of the mailbox")


def order_kept(view: View) -> Iterator[Violation]:
    """C4: first receives of one pair follow the order of acceptance, as far as it can be known.

    What was accepted before the other was first sent came before it; so did what one session sent earlier, if each of
    the two was sent only once.
    """
    pairs: dict[tuple[str, str, bool], list[Message]] = defaultdict(list)
    for message in view.messages.values():
        if message.oks and message.invokes and message.delivered is not None:
            pairs[message.sender, message.recipient, message.stored].append(message)
    place = {id(record): number for number, record in enumerate(view.records)}
    for messages in pairs.values():
        arrived = sorted(messages, key=lambda one: place[id(one.delivered)])
        yield from _overtaken(view, arrived, place)
        yield from _overtaken_in_a_session(view, arrived, place)


def _overtaken(view: View, arrived: Sequence[Message], place: dict[int, int]) -> Iterator[Violation]:
    earliest: Message | None = None
    for message in reversed(arrived):
        if earliest is not None and place[id(earliest.oks[0])] < place[id(message.invokes[0])]:
            yield _reorder(view, earliest, message)
        if earliest is None or place[id(message.oks[0])] < place[id(earliest.oks[0])]:
            earliest = message


def _overtaken_in_a_session(view: View, arrived: Sequence[Message], place: dict[int, int]) -> Iterator[Violation]:
    earliest: dict[str, Message] = {}
    for message in reversed(arrived):
        if len(message.invokes) > 1:
            continue
        invoke = message.invokes[0]
        other = earliest.get(invoke.session)
        if other is not None and place[id(other.invokes[0])] < place[id(invoke)]:
            yield _reorder(view, other, message)
        if other is None or place[id(invoke)] < place[id(other.invokes[0])]:
            earliest[invoke.session] = message


def _reorder(view: View, earlier: Message, later: Message) -> Violation:
    text = f"{earlier.id} was accepted before {later.id} and received after it"
    timeline = sorted({*view.timeline(earlier), *view.timeline(later)})
    return Violation("C4", "reorder", f"{earlier.sender} -> {earlier.recipient}: {text}", tuple(timeline))


def nothing_refused_is_received(view: View) -> Iterator[Violation]:
    """C5: what was refused every time it was sent is never received."""
    for message in view.messages.values():
        if message.refused and message.receives:
            yield _about(view, message, "C5", "ghost", f"refused ({message.fails[-1].result}) and received")


def receipts_are_true(view: View) -> Iterator[Violation]:
    """C7: a live message that was accepted was received, unless something broke around it; and at most once."""
    near = PRESENCE_SECONDS + SLACK_SECONDS
    for message in view.messages.values():
        if not message.live:
            continue
        if len(message.receives) > 1:
            yield _about(view, message, "C7", "live repeat", f"received {len(message.receives)} times")
        if message.delivered is None:
            at = message.oks[0].at
            gap = any(abs(record.at - at) <= near for record in view.gaps)
            if not gap and not view.ended_near(message.recipient, at, near):
                yield _about(
                    view, message, "C7", "false receipt", "accepted for a recipient who was there all the time"
                )


def friends_are_told(view: View) -> Iterator[Violation]:
    """C8: of each friend that goes one hears once, within the presence time, and nothing live comes from it afterwards."""
    live: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for message in view.messages.values():
        if message.live and message.delivered is not None:
            live[message.recipient, message.sender].append(message)
    for (observer, friend), notices in view.notices.items():
        for stay in view.stays[observer]:
            heard = [one for one in notices if stay.since <= one.at <= stay.until]
            yield from _heard(view, observer, friend, heard)
            ends = [*(one.at for one in heard[1:]), stay.until]
            gone = [(one.at, end) for one, end in zip(heard, ends, strict=False) if one.result in WENT]
            for message in live[observer, friend]:
                at = message.delivered.at if message.delivered is not None else 0.0
                if any(since < at < until for since, until in gone):
                    yield _about(
                        view, message, "C8", "live from the gone", "received after its sender was said to be gone"
                    )
        yield from _never_told(view, observer, friend, notices)


def _heard(view: View, observer: str, friend: str, heard: Sequence[Record]) -> Iterator[Violation]:
    for before, after in pairwise(heard):
        if before.result in WENT and after.result in WENT:
            timeline = view.between([observer, friend], after.at - PRESENCE_SECONDS, after.at + SLACK_SECONDS)
            text = f"{observer} was told twice that {friend} is gone"
            yield Violation("C8", "told twice", text, timeline)


def _never_told(view: View, observer: str, friend: str, notices: Sequence[Record]) -> Iterator[Violation]:
    known = [one for one in notices if one.result in CAME]
    if not known:
        return
    stays = view.stays[friend]
    seconds = PRESENCE_SECONDS + (FLAP_SECONDS if any(one.result in PATIENT for one in notices) else 0.0)
    for stay in stays:
        until = stay.until + seconds + SLACK_SECONDS
        back = any(other.since >= stay.since and other is not stay and other.since <= until for other in stays)
        before = [one for one in notices if one.at <= stay.until]
        linked = bool(before) and before[-1].result in CAME
        if until > view.end or back or not linked or not view.stayed(observer, before[-1].at, until):
            continue
        if not any(stay.until < one.at <= until and one.result in WENT for one in notices):
            text = f"not told within {seconds:g} s that {friend} is gone"
            timeline = view.between([observer, friend], before[-1].at, until)
            yield Violation("C8", "not told", f"{observer}: {text}", timeline)


def _about(view: View, message: Message, rule: str, what: str, text: str) -> Violation:
    name = f"{message.sender} -> {message.recipient or '?'} {message.id}"
    return Violation(rule, what, f"{name}: {text}", view.timeline(message))


Rule = Callable[[View], Iterator[Violation]]

RULES: dict[str, Rule] = {
    "C1": nothing_lost,
    "C2": nothing_from_nowhere,
    "C3": no_effect_twice,
    "C4": order_kept,
    "C5": nothing_refused_is_received,
    "C7": receipts_are_true,
    "C8": friends_are_told,
}
"""C6 looks into the store (``inventory``); C9 is the timeline of every violation."""
