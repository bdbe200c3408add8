"""Who is connected to a node, and its numbers."""

import pytest
from structlog.testing import capture_logs

from exchange.core.errors import Unavailable
from exchange.core.ids import short
from exchange.core.model import Counts
from exchange.core.session import Session
from exchange.front import Ending
from exchange.hotcounts import HotCounts
from exchange.node import roster
from exchange.node.roster import Crowd, Roster
from exchange.storage.memory.state import Memory
from tests.harness.world import Peer, Place, Time, befriend


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def place(time) -> Place:
    return await Place(Memory(time)).start()


async def test_connections_are_here_from_their_opening_to_their_end(place, time):
    first, second = place.connect(), place.connect()
    assert set(place.roster) == {first.connection, second.connection}
    time.ms += 1500
    first.leave()
    assert set(place.roster) == {second.connection}
    assert place.closed == [("magi", Ending.CLIENT, 1.5)]


async def test_the_end_of_a_connection_is_counted_once(place):
    peer = place.connect()
    peer.leave()
    place.roster.exit(peer.connection, Ending.DRAIN)
    assert len(place.closed) == 1


async def test_events_for_a_session_go_to_its_connection(place):
    peer = place.connect()
    assert place.roster.teller(peer.connection.session) is peer.connection


async def test_a_session_without_a_connection_cannot_be_told_anything(place):
    with pytest.raises(Unavailable):
        place.roster.teller(Session("gone", dialect="magi", address="", since_ms=0))


async def test_the_tally_counts_connections_identified_users_and_ends_of_friendships(place):
    ann, bob = await place.identified("ann"), await place.identified("bob")
    place.connect()
    await befriend(ann, bob)
    tally = place.roster.tally()
    assert (tally.connections_count, tally.identified_count, tally.link_ends_count) == (3, 2, 2)
    bob.leave()
    await ann.hears("friend_disconnected")
    tally = place.roster.tally()
    assert (tally.connections_count, tally.identified_count, tally.link_ends_count) == (2, 1, 0)


async def test_a_glimpse_shows_part_of_the_client_and_one_letter(place, time):
    peer = await place.identified("ann", nick="Ännchen")
    client = peer.connection.session.client
    (glimpse,) = place.roster.tally().users
    assert (glimpse.client, glimpse.initial, glimpse.linked) == (short(client), "Ä", False)
    assert glimpse.since_ms == time.ms


async def test_a_glimpse_shows_the_nickname_of_now(place):
    peer = await place.identified("ann", nick="Ann")
    assert place.roster.tally().users[0].initial == "A"
    await peer.ask("identify", username="ann", nickname="Zoe")
    assert place.roster.tally().users[0].initial == "Z"


async def test_only_the_newest_users_are_glimpsed(place, time, monkeypatch):
    monkeypatch.setattr(roster, "GLIMPSES_MOST", 2)
    peers = []
    for name in ("ann", "bob", "cat"):
        time.ms += 1000
        peers.append(await place.identified(name))
    newest = {short(peer.connection.session.client) for peer in peers[1:]}
    assert {glimpse.client for glimpse in place.roster.tally().users} == newest


async def test_the_rate_is_of_the_time_since_the_last_one(place, time):
    peer = await place.identified("ann")
    time.ms += 2000
    assert place.roster.tally().messages_per_second == 0.5
    for _ in range(3):
        await peer.ask("create_invite")
    time.ms += 500
    assert place.roster.tally().messages_per_second == 0.5, "as before: half a second says little"
    time.ms += 500
    assert place.roster.tally().messages_per_second == 3.0


async def test_the_last_message_is_told_by_time_and_characters_and_not_kept(place, time):
    peer = place.connect()
    message = '{"type": "ask", "content": "grüße"}'
    time.ms += 7
    peer.connection.received(message.encode())
    tally = place.roster.tally()
    assert (tally.last_message_ms, tally.last_message_characters) == (time.ms, len(message))
    assert message.encode() not in vars(place.roster).values()
    assert place.roster.tally().last_message_characters == len(message)


async def test_json_that_is_no_request_counts_as_a_message_and_what_is_no_json_does_not(place):
    peer = place.connect()
    for message in (b'{"type": "dance"}', b"not json"):
        peer.connection.received(message)
    peer.connection.oversized()
    assert place.roster.unreported() == Counts(connections=1, messages=1)
    assert place.counts.frames_in == 3


async def test_what_was_reported_is_not_counted_again(place):
    place.connect()
    counted = place.roster.unreported()
    place.connect()
    place.roster.reported(counted)
    assert place.roster.unreported() == Counts(connections=1, messages=0)


def unshown(place: Place) -> Roster:
    """Return a roster of a wire whose users no page shows."""
    return Roster(place.store.clock, HotCounts(), lambda *_: None, public=False)


def entered(roster: Roster, place: Place) -> Peer:
    peer = place.connect()
    roster.enter(peer.connection)
    return peer


async def test_on_a_wire_that_is_not_shown_no_message_is_kept_and_all_are_counted(place):
    hidden = unshown(place)
    hidden.heard(b"secret")
    assert not any(b"secret" == value for value in vars(hidden).values())
    assert hidden.counts.frames_in == 1
    assert hidden.unreported() == Counts(connections=0, messages=1)
    assert hidden.tally().last_message_ms == 0


async def test_log_lines_name_the_wire_if_it_is_not_the_public_one(place):
    hidden = unshown(place)
    with capture_logs() as logs:
        peer = entered(hidden, place)
        hidden.exit(peer.connection, Ending.CLIENT)
    wires = [(line["event"], line["wire"]) for line in logs]
    assert wires == [
        ("connection.opened", None),
        ("connection.opened", "magi"),
        ("connection.closed", "magi"),
    ]


async def test_a_crowd_is_everybody_over_all_wires(place):
    hidden = unshown(place)
    crowd = Crowd({"magi": place.roster, "hidden": hidden})
    assert (len(crowd), list(crowd)) == (0, [])
    peers = [place.connect(), place.connect()]
    hidden.enter(peers[1].connection)
    assert len(crowd) == 3
    assert [one.session for one in crowd] == [peer.connection.session for peer in (*peers, peers[1])]
    for connection in crowd:
        place.roster.exit(connection, Ending.DRAIN)
        hidden.exit(connection, Ending.DRAIN)
    assert len(crowd) == 0


async def test_events_for_a_session_go_to_its_connection_over_its_wire(place):
    hidden = unshown(place)
    crowd = Crowd({"magi": place.roster, "hidden": hidden})
    peer = place.connect()
    session = peer.connection.session
    assert crowd.teller(session) is peer.connection
    session.dialect = "hidden"
    with pytest.raises(Unavailable):
        crowd.teller(session)
    hidden.enter(peer.connection)
    assert crowd.teller(session) is peer.connection
