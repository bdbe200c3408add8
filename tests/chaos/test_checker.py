"""The checker finds what it is there for: a bad history for every rule, and none in a good one (OPS-20)."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.checker import Counts, check, percentile
from tests.chaos.history import FIRST, GARBLED, LIVE, REPEAT, STORED, History, Op, Record


class Story:
    """Writes a history by hand: every line is a tenth of a second after the one before."""

    def __init__(self, a: str = "ada", b: str = "bob") -> None:
        self.records: list[Record] = []
        self.at = 0.0
        self.a, self.b = a, b

    def wait(self, seconds: float) -> "Story":
        self.at += seconds
        return self

    def note(self, client: str, op: Op, session: str = "1", **what: str) -> "Story":
        self.at += 0.1
        self.records.append(Record(self.at, client, f"{client}-{session}", op, **what))
        return self

    def here(self) -> "Story":
        return self.note(self.a, Op.OPENED).note(self.b, Op.OPENED)

    def linked(self) -> "Story":
        self.note(self.a, Op.NOTICE, sender=self.b, result="friend_connected")
        return self.note(self.b, Op.NOTICE, sender=self.a, result="friend_connected")

    def invoke(self, id_: str, session: str = "1") -> "Story":
        return self.note(self.a, Op.INVOKE, session, id=id_, sender=self.a, recipient=self.b, result="ask")

    def ok(self, id_: str, tier: str = STORED) -> "Story":
        return self.note(self.a, Op.OK, id=id_, sender=self.a, recipient=self.b, tier=tier, result="queued")

    def fail(self, id_: str) -> "Story":
        return self.note(self.a, Op.FAIL, id=id_, sender=self.a, recipient=self.b, result="not_linked")

    def unknown(self, id_: str) -> "Story":
        return self.note(self.a, Op.UNKNOWN, id=id_, sender=self.a, recipient=self.b, result="1006")

    def recv(
        self, id_: str, *, by: str = "", tier: str = STORED, result: str = FIRST, place: str = "", session: str = "1"
    ) -> "Story":
        what = {"id": id_, "sender": self.a, "recipient": by or self.b, "tier": tier, "result": result}
        where = "" if tier == LIVE else place or f"7-{id_}"
        return self.note(by or self.b, Op.RECV, session, detail=where, **what)

    def told(self, id_: str, fate: str = "expired", place: str = "9-1", to: str = "") -> "Story":
        what = {"id": id_, "sender": self.a, "recipient": self.b, "result": fate, "detail": place}
        return self.note(to or self.a, Op.NOTICE, **what)

    def history(self) -> History:
        return History(self.records)


def kinds(story: Story) -> set[str]:
    verdict = check(story.history())
    assert bool(verdict) == (not verdict.violations)
    for violation in verdict.violations:
        assert violation.timeline, violation
        assert str(violation.timeline[0]) in str(violation)
    return {f"{one.rule} {one.what}" for one in verdict.violations}


def good(a: str = "ada", b: str = "bob") -> Story:
    """Everything that may happen to mail: a retry, a redelivery, an expiry, a parking, a refusal."""
    story = Story(a, b).here().linked()
    story.invoke("1").recv("1").ok("1").note(b, Op.ACK, detail="7-1")
    # The reply to 2 is lost; 3 is accepted meanwhile.
    story.invoke("2").invoke("3").unknown("2").ok("3").recv("2").recv("3")
    story.note(b, Op.CLOSED).note(b, Op.OPENED, "2").recv("3", result=REPEAT, session="2")
    story.invoke("2").ok("2")
    story.invoke("4").fail("4")
    story.note(b, Op.CLOSED, "2").invoke("5").ok("5").told("5").told("5")
    story.invoke("6").ok("6").note(b, Op.OPENED, "3").recv("6", session="3").told("6", "parked", "9-2")
    story.invoke("7").ok("7", LIVE).recv("7", tier=LIVE, session="3")
    return story


def test_a_good_history_breaks_nothing():
    verdict = check(good().history())
    assert verdict, verdict
    assert "nothing broken" in str(verdict)
    assert verdict.counts == Counts(
        ok=6, failed=1, raw_repeats=1, received=5, worst_delay=pytest.approx(0.4), reconnects=2, reconnect_p99=0.7
    )


def test_nothing_at_all_breaks_nothing():
    assert check(History())


def test_accepted_mail_that_never_came_is_lost():
    assert kinds(Story().here().invoke("1").ok("1")) == {"C1 lost"}


def test_mail_whose_attempts_are_all_unknown_is_not_lost():
    assert kinds(Story().here().invoke("1").unknown("1").invoke("2").unknown("2").recv("2")) == set()


def test_two_notices_about_one_message_are_noticed():
    assert kinds(Story().here().invoke("1").ok("1").told("1").told("1", place="9-2")) == {"C1 told twice"}


def test_mail_cannot_be_delivered_after_its_sender_was_told_of_its_end():
    assert kinds(Story().here().invoke("1").ok("1").told("1").recv("1")) == {"C1 delivered and expired"}


def test_mail_cannot_expire_under_the_hands_of_a_session_that_got_it():
    assert kinds(Story().here().invoke("1").ok("1").recv("1").told("1")) == {"C1 delivered and expired"}


def test_mail_may_expire_if_the_session_that_got_it_ended_before_it_could_acknowledge():
    story = Story().here().invoke("1").ok("1").recv("1").note("bob", Op.CLOSED).told("1")
    assert kinds(story) == set()


def test_what_nobody_sent_is_a_phantom():
    assert kinds(Story().here().recv("1")) == {"C2 phantom"}
    assert kinds(Story().here().told("1")) == {"C2 phantom"}


def test_what_is_not_as_it_was_sent_is_a_phantom():
    assert kinds(Story().here().invoke("1").ok("1").recv("1").recv("1", result=GARBLED)) == {"C2 phantom"}


def test_what_another_one_reads_is_a_leak():
    assert kinds(Story().here().invoke("1").ok("1").recv("1").recv("1", by="eve")) == {"C2 leak"}
    assert kinds(Story().here().invoke("1").ok("1").told("1", to="eve")) == {"C2 leak"}


def test_an_effect_that_comes_twice_is_noticed():
    assert kinds(Story().here().invoke("1").ok("1").recv("1").recv("1")) == {"C3 duplicate effect"}


def test_a_message_that_was_stored_twice_is_noticed_although_its_reader_drops_the_repeat():
    story = Story().here().invoke("1").unknown("1").invoke("1").ok("1")
    assert kinds(story.recv("1", place="7-1").recv("1", place="7-2", result=REPEAT)) == {"C3 stored twice"}


def test_mail_that_overtook_what_was_accepted_before_it_was_sent_is_noticed():
    assert kinds(Story().here().invoke("1").ok("1").invoke("2").ok("2").recv("2").recv("1")) == {"C4 reorder"}


def test_mail_that_overtook_in_one_session_is_noticed():
    assert kinds(Story().here().invoke("1").invoke("2").ok("1").ok("2").recv("2").recv("1")) == {"C4 reorder"}


def test_order_is_not_asked_of_what_was_sent_at_the_same_time_and_repeated():
    story = Story().here().invoke("1").invoke("2").unknown("1").ok("2").invoke("1").ok("1")
    assert kinds(story.recv("2").recv("1")) == set()


def test_what_was_refused_and_came_all_the_same_is_a_ghost():
    assert kinds(Story().here().invoke("1").fail("1").recv("1")) == {"C5 ghost"}


def test_what_was_refused_once_and_unknown_once_may_come():
    assert kinds(Story().here().invoke("1").unknown("1").invoke("1").fail("1").recv("1")) == set()


def test_a_receipt_for_a_live_message_that_never_came_is_false():
    story = Story().here().wait(30).invoke("1").ok("1", LIVE).wait(30).note("ada", Op.CLOSED)
    assert kinds(story) == {"C7 false receipt"}


@pytest.mark.parametrize("excuse", ["recipient", "gap"])
def test_a_live_message_may_be_lost_with_the_session_of_its_reader_or_in_a_gap(excuse):
    story = Story().here().wait(30).invoke("1").ok("1", LIVE).wait(5)
    story = story.note("bob", Op.CLOSED) if excuse == "recipient" else story.note("", Op.GAP)
    assert kinds(story.wait(30).note("ada", Op.CLOSED)) == set()


def test_a_live_message_comes_once():
    story = Story().here().invoke("1").ok("1", LIVE).recv("1", tier=LIVE).recv("1", tier=LIVE, result=REPEAT)
    assert kinds(story) == {"C7 live repeat"}


def gone(story: Story) -> Story:
    return story.note("ada", Op.NOTICE, sender="bob", result="friend_disconnected")


def test_whoever_goes_is_told_to_friends_once():
    story = Story().here().linked().note("bob", Op.CLOSED).wait(10)
    assert kinds(gone(story).wait(30).note("ada", Op.CLOSED)) == set()


def test_a_friend_who_is_told_twice_is_noticed():
    story = Story().here().linked().note("bob", Op.CLOSED)
    assert kinds(gone(gone(story))) == {"C8 told twice"}


def test_a_friend_who_is_never_told_is_noticed():
    story = Story().here().linked().note("bob", Op.CLOSED).wait(30).note("ada", Op.CLOSED)
    assert kinds(story) == {"C8 not told"}


def test_nothing_live_comes_from_the_gone():
    story = Story("bob", "ada").here().linked().invoke("1").ok("1", LIVE)
    story = gone(story).recv("1", tier=LIVE)
    story = story.note("ada", Op.NOTICE, sender="bob", result="friend_connected")
    assert kinds(story) == {"C8 live from the gone"}


def test_a_verdict_names_what_was_broken_and_shows_the_story():
    verdict = check(Story().here().invoke("1").ok("1").history())
    assert not verdict
    assert "1 x C1 lost" in str(verdict)
    assert "send-ok" in str(verdict)


BROKEN = [
    good,
    lambda a, b: Story(a, b).here().invoke("1").ok("1"),
    lambda a, b: Story(a, b).here().invoke("1").ok("1").invoke("2").ok("2").recv("2").recv("1"),
    lambda a, b: Story(a, b).here().recv("1"),
]


@given(
    which=st.lists(st.sampled_from(range(len(BROKEN))), min_size=1, max_size=4),
    shifts=st.lists(st.floats(0, 100), min_size=4, max_size=4),
    seed=st.integers(),
)
def test_what_unrelated_clients_do_meanwhile_does_not_change_the_verdict(which, shifts, seed):
    stories = [BROKEN[kind](f"ada{number}", f"bob{number}") for number, kind in enumerate(which)]
    alone = [check(story.history()) for story in stories]
    moved = [
        [record._replace(at=record.at + shift) for record in story.records]
        for story, shift in zip(stories, shifts, strict=False)
    ]
    records = list(itertools.chain.from_iterable(moved))
    random.Random(seed).shuffle(records)
    together = check(History(records))
    text = sorted((one.rule, one.what, one.text) for verdict in alone for one in verdict.violations)
    assert sorted((one.rule, one.what, one.text) for one in together.violations) == text
    assert together.counts.ok == sum(verdict.counts.ok for verdict in alone)


def test_a_percentile_is_a_value_that_was_there():
    assert percentile([], 0.99) == 0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([float(number) for number in range(1, 101)], 0.99) == 99.0


def test_a_history_is_read_back_as_it_was_saved(tmp_path):
    history = good().history()
    history.fault("killed node0", 0.5)
    history.save(tmp_path / "history.jsonl")
    again = History.load(tmp_path / "history.jsonl")
    assert (again.records, again.faults) == (history.records, history.faults)
