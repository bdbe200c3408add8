import pytest

from magi.daemon.guard import ACTS, SPOKEN, WEIGHED, Guard
from magi.daemon.port import Caller, DeskError
from magi.daemon.protocol import METHODS
from magi.desk import consent
from magi.desk.consent import Act
from tests.unit.magi.daemon.fake import FakeDesk

ARGUMENTS = {
    "invite": {},
    "connect": {"code": "ABC123"},
    "wait": {"ask_id": "a1", "seconds": 0.0},
    "withdraw": {"ask_id": "a1"},
    "inbox": {"caller": Caller()},
    "defer": {"item_id": "q1", "seconds": 1.0, "caller": Caller()},
    "ack": {"item_id": "q1", "caller": Caller()},
    "rename": {"who": "bob", "petname": "bobby"},
    "unfriend": {"who": "bob"},
    "review": {"held_id": "d1", "approve": True},
    "mode": {"who": "bob", "mode": "auto"},
    "pause": {"until_ms": 0},
    "block": {"who": "bob"},
}


class WeighingDesk(FakeDesk):
    """An office that takes every weighed call for what ``act`` says."""

    act = Act.READ

    async def weigh(self, method, given):
        return self.act


def test_it_is_known_of_every_method_what_it_is_to_call_it():
    assert set(ACTS) | WEIGHED | SPOKEN == set(METHODS)
    assert not set(ACTS) & WEIGHED
    assert not (set(ACTS) | WEIGHED) & SPOKEN


@pytest.mark.parametrize("name", sorted(set(ACTS) - {"events"}))
@pytest.mark.parametrize("face", ["cli", "script", "mcp", "hook", "anything"])
async def test_a_face_may_do_what_its_speaker_may(name, face):
    desk = WeighingDesk()
    call = getattr(Guard.of(desk, face, ""), name)(**ARGUMENTS.get(name, {}))
    if consent.may(ACTS[name], consent.speaker(face, "human")):
        await call
        assert [method for method, _ in desk.calls] == [name]
    else:
        with pytest.raises(DeskError, match="Only the owner"):
            await call
        assert desk.calls == []


@pytest.mark.parametrize("name", sorted(WEIGHED))
async def test_what_weighs_more_is_refused_to_a_model(name):
    desk = WeighingDesk()
    guard = Guard.of(desk, "mcp", "s1")
    await getattr(guard, name)(**ARGUMENTS[name])
    desk.act = Act.RAISE_MODE
    with pytest.raises(DeskError):
        await getattr(guard, name)(**ARGUMENTS[name])
    await getattr(Guard.of(desk, "cli", ""), name)(**ARGUMENTS[name])


@pytest.mark.parametrize(
    ("face", "session", "said", "taken"),
    [
        ("mcp", "s1", Caller("cli", "human", "s2"), Caller("mcp", "model", "s1")),
        ("mcp", "", Caller("mcp", "model", "s2"), Caller("mcp", "model", "s2")),
        ("cli", "", Caller("cli", "human", "cli-77"), Caller("cli", "human", "cli")),
        ("cli", "", Caller("cli", "model", ""), Caller("cli", "model", "cli")),
        ("script", "", Caller("cli", "human", "cli-77"), Caller("script", "model", "script")),
    ],
)
async def test_nobody_speaks_as_somebody_else(face, session, said, taken):
    desk = WeighingDesk()
    await Guard.of(desk, face, session).ack("q1", caller=said)
    assert desk.calls == [("ack", {"item_id": "q1", "caller": taken})]


async def test_a_call_that_names_nobody_is_the_faces_own():
    desk = WeighingDesk()
    await Guard.of(desk, "mcp", "s1").history("bob")
    assert desk.calls == [("history", {"who": "bob", "caller": Caller("mcp", "model", "s1")})]


async def test_only_methods_of_the_port_are_there():
    guard = Guard.of(WeighingDesk(), "cli", "")
    with pytest.raises(AttributeError):
        _ = guard.weigh
    await guard.close()
