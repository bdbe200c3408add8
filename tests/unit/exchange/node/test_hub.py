"""The users of a node, with a store in memory and a clock that stands still."""

import asyncio
from dataclasses import replace
from typing import NamedTuple

import pytest

from exchange.core.events import Delivered, Event, FriendCame, FriendChanged, FriendWent
from exchange.core.features import IDS, OFFLINE, PERSIST, PRESENCE, RESUME
from exchange.core.links import LinkTable
from exchange.core.model import Envelope, Kind, Link, Presence
from exchange.core.session import Session, State
from exchange.core.user import LocalUser
from exchange.core.wakes import Linked, Mail, Replaced, Unlinked
from exchange.front import Ending
from exchange.hotcounts import HotCounts
from exchange.node.delivery import MailRules
from exchange.node.hub import BACKLOG_BYTES, BACKLOG_COUNT, LocalHub
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually
from tests.harness.world import Tenure, Time

ANN = Link("uid-ann", "c-ann", "ann@example.com", "Ann")
CAT = Link("uid-cat", "c-cat", "cat@example.com", "Cat")


class Came(NamedTuple):
    """What a client sees of a friend who came."""

    connection: str
    name: str
    nick: str


class Told:
    """A session's end: what it was told, and how it was closed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[Event] = []
        self.closed: Ending | None = None
        self.buffered_bytes = 0

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def close(self, ending: Ending) -> None:
        self.closed = ending


class Landing:
    def __init__(self) -> None:
        self.taken: list[bool] = []

    def landed(self, *, taken: bool) -> None:
        self.taken.append(taken)


class Rig:
    """One node and one user on it, Bob, who is Ann's friend."""

    def __init__(self) -> None:
        self.time = Time()
        self.memory = Memory(self.time)
        self.store = memory_store(self.memory)
        self.counts = HotCounts()
        self.session = Session("client", dialect="magi", address="", since_ms=0)
        self.told = Told(self.session)
        self.hub = LocalHub(self.store, lambda _session: self.told, self.counts, MailRules(flap_seconds=0.01))
        self.hub.tenure = self.tenure = Tenure()
        self.user = LocalUser("uid-bob", "bob@example.com", "Bob")

    async def start(self) -> "Rig":
        presence = Presence(self.session.sid, self.user.uid, self.user.name, "node1", "magi", "")
        await self.store.users.open(presence, self.user.profile)
        await self.store.links.put(self.user.uid, ANN)
        rev, links = await self.store.links.table(self.user.uid)
        self.user.links = LinkTable(links, rev)
        self.hub.seat(self.user, self.session)
        self.hub.release(self.user)
        return self

    @property
    def events(self) -> list[Event | Came]:
        return [
            Came(event.link.connection, event.link.name, event.link.nick) if isinstance(event, FriendCame) else event
            for event in self.told.events
        ]

    def wake(self, wake, size_bytes: int = 0) -> None:
        self.hub.woken(self.user.uid, wake, size_bytes)

    def letter(self, body: bytes = b'"hello"', **changes) -> Envelope:
        fields = {"kind": Kind.QUESTION, "sender": ANN.peer, "connection": ANN.connection, "id": "m1", **changes}
        return Envelope(deadline_ms=self.time.ms + 4000, accepted_ms=self.time.ms, body=body, **fields)

    def linked(self, link: Link, *, prev: int, announce: bool = True) -> Linked:
        return Linked(prev + 1, prev, announce, link.peer, link.connection, link.name, link.nick, prev + 1, False)


@pytest.fixture
async def rig() -> Rig:
    return await Rig().start()


# --- envelopes -------------------------------------------------------------------------------------------------------


async def test_an_envelope_of_a_friend_is_told_under_the_friends_names(rig):
    letter = rig.letter()
    rig.wake(letter)
    assert rig.events == [Delivered(letter, ANN.name, ANN.nick)]
    assert rig.counts.wakes_envelope == 1


async def test_the_sender_of_the_last_question_is_remembered_and_that_of_an_answer_is_not(rig):
    rig.wake(rig.letter(kind=Kind.ANSWER))
    assert rig.session.last_asker == ""
    rig.wake(rig.letter())
    assert rig.session.last_asker == ANN.peer


async def test_an_envelope_past_its_deadline_is_not_told(rig):
    letter = rig.letter()
    rig.time.ms = letter.deadline_ms + 1
    rig.wake(letter)
    assert rig.events == []
    assert rig.counts.live_late == 1


async def test_an_envelope_for_somebody_who_is_not_here_counts_as_gone(rig):
    rig.hub.woken("uid-nobody", rig.letter(), 0)
    assert rig.counts.live_gone == 1


async def test_an_envelope_of_a_stranger_is_dropped_after_a_look_at_the_store(rig):
    rig.wake(rig.letter(sender="uid-eve"))
    await eventually(lambda: rig.counts.live_unlinked)
    assert rig.events == []


async def test_an_envelope_of_a_link_that_was_replaced_is_dropped(rig):
    rig.wake(rig.letter(connection="c-before"))
    await eventually(lambda: rig.counts.live_unlinked)
    assert rig.events == []


async def test_an_envelope_that_overtook_its_friendship_is_told_after_it(rig):
    await rig.store.links.put(rig.user.uid, CAT)
    letter = rig.letter(sender=CAT.peer, connection=CAT.connection)
    rig.wake(letter)
    await eventually(lambda: len(rig.events) == 2)
    assert rig.events == [Came(CAT.connection, CAT.name, CAT.nick), Delivered(letter, CAT.name, CAT.nick)]


async def test_an_envelope_of_a_stranger_is_dropped_when_the_store_is_away_too(rig):
    rig.memory.down = True
    rig.wake(rig.letter(sender="uid-eve"))
    await eventually(lambda: rig.counts.live_unlinked)
    assert not rig.user.held


# --- holding ---------------------------------------------------------------------------------------------------------


async def test_wakes_of_a_held_user_wait_and_are_told_in_order(rig):
    rig.hub.hold(rig.user)
    letters = [rig.letter(id=f"m{number}") for number in range(3)]
    for letter in letters:
        rig.wake(letter)
    assert rig.events == []
    rig.hub.release(rig.user)
    assert [event.envelope for event in rig.events] == letters


async def test_a_user_held_twice_goes_on_after_the_second_release(rig):
    rig.hub.hold(rig.user)
    rig.hub.hold(rig.user)
    rig.wake(rig.letter())
    rig.hub.release(rig.user)
    assert rig.events == []
    rig.hub.release(rig.user)
    assert len(rig.events) == 1


async def test_too_many_waiting_envelopes_are_refused_and_a_change_of_links_is_not(rig):
    rig.hub.hold(rig.user)
    for _ in range(BACKLOG_COUNT + 1):
        rig.wake(rig.letter())
    assert rig.counts.live_full == 1
    rig.wake(rig.linked(CAT, prev=rig.user.links.rev))
    rig.hub.release(rig.user)
    assert len(rig.events) == BACKLOG_COUNT + 1
    assert rig.events[-1] == Came(CAT.connection, CAT.name, CAT.nick)


async def test_too_large_waiting_envelopes_are_refused_until_there_is_room_again(rig):
    half = b"x" * (BACKLOG_BYTES // 2)
    rig.hub.hold(rig.user)
    for _ in range(3):
        rig.wake(rig.letter(half), len(half))
    assert rig.counts.live_full == 1
    rig.hub.release(rig.user)
    rig.hub.hold(rig.user)
    rig.wake(rig.letter(half), len(half))
    assert rig.counts.live_full == 1


async def test_wakes_wait_until_the_lease_is_assured(rig):
    rig.tenure.holds = False
    rig.wake(rig.letter())
    assert rig.events == []
    await eventually(lambda: rig.events)
    assert rig.tenure.assured == 1


async def test_without_a_lease_envelopes_are_dropped_and_changes_of_links_are_not(rig):
    rig.tenure.holds = rig.tenure.renewable = False
    rig.wake(rig.letter())
    rig.wake(Linked(2, 1, True, CAT.peer, CAT.connection, CAT.name, CAT.nick, 2, False))
    await eventually(lambda: rig.events)
    assert rig.events == [Came(CAT.connection, CAT.name, CAT.nick)]
    assert rig.counts.live_fenced == 1


async def test_a_friend_who_was_never_announced_is_not_seen_off(rig):
    rig.wake(Linked(2, 1, False, CAT.peer, CAT.connection, CAT.name, CAT.nick, 2, False))
    rig.wake(Unlinked(3, 2, CAT.peer, CAT.connection))
    assert rig.events == []
    rig.wake(Linked(4, 3, False, CAT.peer, CAT.connection, CAT.name, CAT.nick, 4, False))
    rig.wake(Linked(5, 4, True, CAT.peer, CAT.connection, CAT.name, CAT.nick, 4, False))
    rig.wake(Unlinked(6, 5, CAT.peer, CAT.connection))
    assert rig.events == [Came(CAT.connection, CAT.name, CAT.nick), FriendWent(CAT.name, CAT.nick)]


async def test_a_friend_whose_announcement_was_missed_is_announced_by_a_reload(rig):
    put = await rig.store.links.put(rig.user.uid, CAT)
    made = put.link.made
    rig.wake(Linked(put.rev, put.prev, False, CAT.peer, CAT.connection, CAT.name, CAT.nick, made, False))
    assert rig.events == []
    rig.hub.hold(rig.user)
    await rig.hub.reload(rig.user)
    rig.hub.release(rig.user)
    assert rig.events == [Came(CAT.connection, CAT.name, CAT.nick)]


async def test_a_user_who_left_is_told_nothing_and_what_waited_counts_as_gone(rig):
    rig.hub.hold(rig.user)
    rig.wake(rig.letter())
    rig.hub.unseat(rig.user)
    rig.hub.release(rig.user)
    rig.hub.tell(rig.user, FriendWent("name", "nick"))
    assert rig.events == []
    assert rig.counts.live_gone == 1
    assert not rig.hub.holds(rig.user.uid)
    assert len(rig.hub) == 0


async def test_an_earlier_holder_of_a_seat_does_not_empty_it(rig):
    again = LocalUser(rig.user.uid, rig.user.name, rig.user.nick)
    rig.hub.seat(again, rig.session)
    rig.hub.unseat(rig.user)
    assert rig.hub.holds(rig.user.uid)
    rig.hub.tell(rig.user, FriendWent("name", "nick"))
    assert rig.events == []


# --- links -----------------------------------------------------------------------------------------------------------


async def test_a_new_friendship_is_told_and_its_envelopes_are_taken(rig):
    rig.wake(rig.linked(CAT, prev=rig.user.links.rev))
    assert rig.events == [Came(CAT.connection, CAT.name, CAT.nick)]
    rig.wake(rig.letter(sender=CAT.peer, connection=CAT.connection))
    assert len(rig.events) == 2
    assert rig.counts.wakes_linked == 1


async def test_a_quiet_change_is_not_told_but_known(rig):
    rig.wake(rig.linked(Link(ANN.peer, ANN.connection, ANN.name, "Annie"), prev=rig.user.links.rev, announce=False))
    assert rig.events == []
    rig.wake(rig.letter())
    assert rig.events[0].nick == "Annie"


async def test_the_end_of_a_friendship_is_told_once(rig):
    end = Unlinked(rig.user.links.rev + 1, rig.user.links.rev, ANN.peer, ANN.connection)
    rig.wake(end)
    rig.wake(end)
    assert rig.events == [FriendWent(ANN.name, ANN.nick)]
    assert rig.counts.wakes_unlinked == 2


async def test_the_end_of_an_earlier_friendship_does_not_end_the_present_one(rig):
    rig.wake(Unlinked(rig.user.links.rev + 1, rig.user.links.rev, ANN.peer, "c-before"))
    assert rig.events == []
    assert rig.user.links.get(ANN.peer) is not None


async def test_a_change_after_a_missed_one_brings_both(rig):
    await rig.store.links.put(rig.user.uid, CAT)
    dan = Link("uid-dan", "c-dan", "dan@example.com", "Dan")
    rig.wake(rig.linked(dan, prev=(await rig.store.links.put(rig.user.uid, dan)).prev))
    await eventually(lambda: len(rig.events) == 2)
    assert {event.nick for event in rig.events} == {"Cat", "Dan"}
    assert rig.hub.missed_count == 1


async def test_a_gap_tells_what_changed_meanwhile_and_nothing_else(rig):
    await rig.store.links.put(rig.user.uid, CAT)
    rig.hub.gap()
    await eventually(lambda: rig.events)
    await rig.store.links.end(rig.user.uid, ANN.peer, ANN.connection)
    rig.hub.gap()
    await eventually(lambda: len(rig.events) == 2)
    assert rig.events == [Came(CAT.connection, CAT.name, CAT.nick), FriendWent(ANN.name, ANN.nick)]
    assert rig.hub.gaps_count == 2


async def test_after_a_gap_the_lease_is_renewed_before_anything_counts_on_it(rig):
    rig.hub.gap()
    assert not rig.tenure.current()
    await eventually(rig.tenure.current)
    assert rig.tenure.assured == 1


async def test_a_gap_while_the_store_is_away_changes_nothing_and_lets_go(rig):
    rig.memory.down = True
    rig.hub.gap()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not rig.user.held
    rig.wake(rig.letter())
    assert len(rig.events) == 1


async def test_a_reload_is_silent_about_whom_the_caller_tells_itself(rig):
    await rig.store.links.put(rig.user.uid, CAT)
    await rig.hub.reload(rig.user, known=frozenset({CAT.peer}))
    assert rig.events == []
    assert rig.user.links.get(CAT.peer) is not None


# --- persistent friends ----------------------------------------------------------------------------------------------

PAM = Link("uid-pam", "c-pam", "pam@example.com", "Pam", persist=True, stamp=1)


@pytest.fixture
async def pam(rig: Rig) -> Rig:
    """Bob with a persistent friend who is here."""
    put = await rig.store.links.put(rig.user.uid, PAM)
    rig.wake(persistent(put.link, rev=put.rev))
    rig.told.events.clear()
    return rig


def persistent(link: Link, *, rev: int, announce: bool = True) -> Linked:
    names = link.name, link.nick, link.made, link.waiting, link.persist, (), link.status, (), link.stamp
    return Linked(rev, rev - 1, announce, link.peer, link.connection, *names)


async def test_a_persistent_friend_goes_and_comes_and_stays_a_friend(pam):
    rev = pam.user.links.rev
    away = replace(PAM, waiting=True, stamp=2)
    pam.wake(persistent(away, rev=rev + 1))
    pam.wake(persistent(replace(PAM, stamp=3), rev=rev + 2))
    assert [type(event) for event in pam.events] == [FriendChanged, FriendChanged]
    assert [event.link.waiting for event in pam.events] == [True, False]
    assert pam.user.links.get(PAM.peer) is not None


async def test_a_persistent_friend_who_moved_to_another_node_was_never_away(pam):
    pam.wake(persistent(replace(PAM, stamp=2), rev=pam.user.links.rev + 1))
    assert pam.events == []


async def test_a_persistent_friend_who_redeems_another_invitation_is_announced_again(pam):
    pam.wake(persistent(PAM, rev=pam.user.links.rev + 1))
    assert pam.events == [Came(PAM.connection, PAM.name, PAM.nick)]


async def test_another_status_of_a_persistent_friend_is_told_and_another_nickname_is_not(pam):
    pam.session.features = frozenset({PRESENCE})
    rev = pam.user.links.rev
    pam.wake(persistent(replace(PAM, nick="Pammy"), rev=rev + 1, announce=False))
    pam.wake(persistent(replace(PAM, nick="Pammy", status="working"), rev=rev + 2, announce=False))
    (event,) = pam.events
    assert (event.link.nick, event.link.status) == ("Pammy", "working")


async def test_who_does_not_watch_presence_hears_of_no_status(pam):
    pam.wake(persistent(replace(PAM, status="working"), rev=pam.user.links.rev + 1, announce=False))
    assert pam.events == []


async def test_who_watches_presence_hears_of_a_going_after_a_while(pam):
    pam.session.features = frozenset({PRESENCE})
    pam.wake(persistent(replace(PAM, waiting=True, stamp=2), rev=pam.user.links.rev + 1))
    assert pam.events == []
    await eventually(lambda: pam.events)
    assert pam.events[0].link.waiting


async def test_who_watches_presence_hears_nothing_of_a_friend_who_is_back_at_once(pam):
    pam.session.features = frozenset({PRESENCE})
    rev = pam.user.links.rev
    pam.wake(persistent(replace(PAM, waiting=True, stamp=2), rev=rev + 1))
    pam.wake(persistent(replace(PAM, stamp=3), rev=rev + 2))
    for _ in range(5):
        await asyncio.sleep(0.01)  # longer than the flap
    assert pam.events == []


async def test_a_reload_tells_what_became_of_persistent_friends(pam):
    await pam.store.links.mark_away(pam.user.uid, PAM.peer, PAM.connection, 2)
    await pam.hub.reload(pam.user)
    (event,) = pam.events
    assert isinstance(event, FriendChanged)
    assert event.link.waiting


# --- takeovers -------------------------------------------------------------------------------------------------------


async def test_a_session_that_was_taken_over_elsewhere_is_closed_and_hears_nothing_more(rig):
    rig.wake(Replaced("another"))
    assert rig.told.closed is Ending.REPLACED
    assert rig.session.state is State.ENDED
    assert not rig.hub.holds(rig.user.uid)


async def test_the_session_that_took_over_stays(rig):
    rig.wake(Replaced(rig.session.sid))
    assert rig.told.closed is None
    assert rig.hub.holds(rig.user.uid)


async def test_a_session_that_was_taken_over_on_this_node_is_closed(rig):
    before = rig.told
    session = Session("client2", dialect="magi", address="", since_ms=0)
    rig.told = Told(session)
    rig.hub.seat(LocalUser(rig.user.uid, rig.user.name, rig.user.nick), session)
    assert before.closed is Ending.REPLACED
    assert rig.session.state is State.ENDED
    assert rig.told.closed is None
    assert rig.hub.holds(rig.user.uid)


# --- mail ------------------------------------------------------------------------------------------------------------


async def test_a_session_without_the_feature_gets_no_mail_and_acknowledges_in_vain(rig):
    await rig.hub.begin_mail(rig.user, (await rig.store.mailboxes.state(rig.user.uid))[0])
    rig.wake(Mail("1", "0-0", "5-0", rig.letter()))
    assert rig.events == []
    assert rig.hub.ack(rig.user, "5-0")


async def test_a_session_with_the_feature_gets_its_mail_and_acknowledges_it(rig):
    rig.session.features = frozenset({IDS, RESUME, PERSIST, OFFLINE})
    await rig.hub.begin_mail(rig.user, (await rig.store.mailboxes.state(rig.user.uid))[0])
    letter = rig.letter()
    rig.wake(Mail("1", "0-0", "5-0", letter))
    assert rig.events == [Delivered(letter, ANN.name, ANN.nick, "5-0")]
    assert rig.hub.ack(rig.user, "5-0")
    assert not rig.hub.ack(rig.user, "6-0")
    rig.hub.unseat(rig.user)


async def test_waiting_mail_is_bounded_because_the_mailbox_has_it(rig):
    rig.session.features = frozenset({IDS, RESUME, PERSIST, OFFLINE})
    rig.hub.hold(rig.user)
    half = b"x" * (BACKLOG_BYTES // 2)
    for number in range(1, 4):
        rig.wake(Mail("1", f"{number - 1}-0", f"{number}-0", rig.letter(half)), len(half))
    assert [wake.envelope is None for wake in rig.user.backlog] == [False, False, True]
    assert rig.user.backlog_bytes == 2 * len(half)


async def test_a_session_that_gave_up_its_mail_gets_none_and_may_ask_for_it_again(rig):
    rig.session.features = frozenset({IDS, RESUME, PERSIST, OFFLINE})
    await rig.hub.begin_mail(rig.user, (await rig.store.mailboxes.state(rig.user.uid))[0])
    rig.hub.end_mail(rig.user)
    rig.wake(Mail("1", "0-0", "5-0", rig.letter()))
    assert rig.events == []
    await rig.hub.begin_mail(rig.user, None)
    assert rig.hub.behind_count == 1


# --- landings --------------------------------------------------------------------------------------------------------


async def test_whoever_waits_for_an_envelope_hears_that_it_was_taken(rig):
    landing = Landing()
    rig.hub.expect(ANN.peer, "m1", landing)
    rig.wake(rig.letter(id="another"))
    assert landing.taken == []
    rig.wake(rig.letter())
    rig.wake(rig.letter())
    assert landing.taken == [True]


async def test_whoever_waits_for_an_envelope_hears_that_it_was_refused(rig):
    landing = Landing()
    rig.hub.expect(ANN.peer, "m1", landing)
    rig.hub.hold(rig.user)
    rig.wake(rig.letter())
    rig.hub.unseat(rig.user)
    assert landing.taken == [False]


async def test_whoever_waits_hears_that_nobody_could_look(rig):
    landing = Landing()
    rig.hub.expect(ANN.peer, "m1", landing)
    rig.memory.down = True
    rig.wake(rig.letter(connection="c-before"))
    await eventually(lambda: landing.taken)
    assert landing.taken == [None]


async def test_whoever_waits_no_more_hears_nothing(rig):
    landing = Landing()
    rig.hub.expect(ANN.peer, "m1", landing)
    rig.hub.unexpect(ANN.peer, "m1")
    rig.wake(rig.letter())
    assert landing.taken == []
