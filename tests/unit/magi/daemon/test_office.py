import pytest

from magi.client.errors import Displaced, NameTaken
from magi.client.states import State
from magi.daemon.office import Office
from magi.daemon.port import DeskError
from magi.desk.consent import Act
from magi.wire.magi1_requests import Presence
from tests.harness.desks import ours
from tests.harness.offices import MODEL, OTHER, OWNER, hello


@pytest.fixture
def office(bureau, tmp_path):
    return Office(bureau.premises, runs=tmp_path, daemon=True)


async def test_a_claim_goes_back_when_the_last_face_of_its_session_is_gone(bureau, office):
    await bureau.asked()
    faces = [hello(MODEL), hello(MODEL)]
    desk, _ = [office.attach(face) for face in faces]
    await desk.inbox(caller=MODEL)
    other = office.attach(hello(OTHER))
    await office.detach(faces[0])
    assert (await other.inbox(caller=OTHER)).items == ()
    await office.detach(faces[1])
    assert [item.id for item in (await other.inbox(caller=OTHER)).items] == ["q1"]


async def test_what_a_command_claimed_the_next_one_still_has(bureau, office):
    await bureau.asked()
    face = hello(OWNER)
    await office.attach(face).inbox(caller=OWNER)
    await office.detach(face)
    assert (await office.attach(hello(MODEL)).inbox(caller=MODEL)).items == ()


async def test_it_is_busy_with_a_face_an_open_ask_or_a_responder(bureau, office):
    """CLI-22."""
    assert not await office.busy()
    face = hello(OWNER)
    office.attach(face)
    assert await office.busy()
    await office.detach(face)
    bureau.respond("respond")
    assert await office.busy()
    bureau.respond()
    await bureau.store.put_out(ours("a1", to="bob", made_ms=bureau.clock(), expires_ms=bureau.clock() + 60_000))
    assert await office.busy()
    await bureau.client.store.advance("a1", State.EXPIRED)
    assert not await office.busy()


@pytest.mark.parametrize(("over", "said"), [(Displaced(), "displaced"), (NameTaken(), "refused")])
async def test_status_says_what_ended_the_client(bureau, office, over, said):
    bureau.client._fail(over)
    status = await office.status()
    assert (status.connection, status.detail) == (said, str(over))


async def test_what_it_is_to_change_a_right_is_weighed(bureau, office):
    weighed = [
        await office.weigh("mode", {"who": "bob", "mode": "auto"}),
        await office.weigh("mode", {"who": "bob", "mode": "mute"}),
        await office.weigh("block", {"who": "bob"}),
        await office.weigh("block", {"who": "bob", "blocked": False}),
        await office.weigh("pause", {"until_ms": -1}),
    ]
    assert weighed == [Act.RAISE_MODE, Act.LOWER_MODE, Act.BLOCK, Act.UNBLOCK, Act.PAUSE]
    await office.pause(-1)
    assert await office.weigh("pause", {"until_ms": 5}) is Act.RESUME


async def test_a_status_that_the_wire_does_not_know_is_refused(bureau, office):
    with pytest.raises(DeskError, match="no status: blocked, idle, working"):
        await office.announce(status="asleep", note="zzz")
    await office.announce(status="working", note="on it")
    assert [one.status for one in bureau.exchange.sent(Presence)] == ["working"]
