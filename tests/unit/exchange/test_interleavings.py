"""Every order in which the steps of two or three tasks can reach the store: nothing accepted is lost (DEL-36 to DEL-38).

Ann writes to Bob while something happens to him. A step is one call of the store, one message, one acknowledgement, one
break of a connection and, where the store is late, one wake or reply on its way to a node. Not explored: timers before steps
(they come when nobody waits for the store), and stores that fail. A failure names the choices; ``Stepper([...])`` plays them
again. Where there are too many orders, all of those are tried in which tasks are cut off as often as the table says.

Each scenario has a control: the same exploration finds what breaks when the code under test is made worse.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import structlog

from exchange.core.model import MailState
from exchange.node import delivery
from exchange.node.delivery import Delivery
from exchange.node.hub import LocalHub
from exchange.storage.memory.links import Links
from exchange.storage.memory.mailboxes import Mailboxes
from exchange.storage.memory.store import memory_store
from exchange.storage.memory.users import Users
from exchange.storage.memory.wakes import Wakes
from tests.chaos.friends import POLICY, Stage
from tests.chaos.history import Op
from tests.chaos.stepper import Stepper, explore
from worker.halves import Halves
from worker.jobs.settle_dues import SettleDues

LIFE_MS = 1000
ALL = 1000
"""More often nobody can be cut off: every order."""


@pytest.fixture(autouse=True)
def mistakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Make every acknowledgement a step of its own, and keep only what is logged as an error of thousands of runs."""
    logged: list[Any] = []

    def only_errors(_: Any, method: str, event: Any) -> Any:
        if method in {"error", "exception", "critical"}:
            logged.append(event)
        raise structlog.DropEvent

    monkeypatch.setattr(delivery, "ACK_COUNT", 1)
    before = structlog.get_config()
    structlog.configure(processors=[only_errors])
    yield logged
    structlog.configure(**before)


# --- the scenarios ---------------------------------------------------------------------------------------------------


async def bob_comes_back(stepper: Stepper, *, node: str, waiting: int, late: bool = False) -> None:
    stage = await Stage(stepper, late=late).set(away=True, waiting=waiting)
    await stage.run(stage.bob.come(getattr(stage, node)), stage.ann.send("m1", "m2"))
    await stage.end()
    stage.all_accepted()
    assert [len(offsets) for offsets in stage.bob.given.values()] == [waiting + 3]


async def bob_acknowledges(stepper: Stepper, *, window_count: int, late: bool = False) -> None:
    stage = await Stage(stepper, window_count=window_count, late=late).set(waiting=1)
    (offset,) = stage.bob.given[stage.bob.sid(stage.bob.peer)]
    stage.bob.acks = True
    await stage.run(stage.bob.ack(stage.bob.peer, offset), stage.ann.send("m1", "m2"))
    await stage.end()
    stage.all_accepted()
    assert [len(offsets) for offsets in stage.bob.given.values()] == [4]


async def bob_takes_over(stepper: Stepper, *, node: str, messages: int, acks: bool = False, late: bool = False) -> None:
    stage = await Stage(stepper, late=late).set(waiting=1)
    old = stage.bob.peer
    (offset,) = stage.bob.given[stage.bob.sid(old)]
    stage.bob.acks = acks
    works = stage.bob.ack(old, offset), stage.bob.come(getattr(stage, node))
    await stage.run(*works, stage.ann.send(*(f"m{number + 1}" for number in range(messages))))
    await stage.end()
    stage.all_accepted()
    records = stage.history.records
    (live,) = [number for number, one in enumerate(records) if one.op is Op.OPENED and one.client == "bob"][1:]
    since = {one.id for one in records[live:] if one.op is Op.INVOKE}
    late = [one for one in records[live:] if one.session == stage.bob.sid(old) and (one.id in since or not late)]
    assert not late, f"the old session goes on: {late}"
    assert not old.connection.open


async def bob_leaves(stepper: Stepper, *, waiting: int, late: bool = False) -> None:
    stage = await Stage(stepper, late=late).set(waiting=waiting)
    stage.bob.acks = True
    await stage.run(stage.bob.leave(), stage.ann.send("m1", "m2"))
    await stage.end()
    stage.all_accepted()


async def mail_expires(stepper: Stepper, *, node: str, late: bool = False) -> None:
    stage = await Stage(stepper, late=late).set(away=True)
    await stage.ann.send("old", expires=stage.time() + LIFE_MS)
    await stage.ann.send("young")
    await stage.stepper.quiet()

    async def worker() -> None:
        await stepper.stop_here("time")
        stage.time.ms += LIFE_MS
        store = memory_store(stage.memory)
        await SettleDues(store, Halves(store, grace_ms=POLICY.grace_ms), ttl_ms=POLICY.mail_ttl_ms).run()

    await stage.run(stage.bob.come(getattr(stage, node)), worker())
    await stage.end()
    stage.all_accepted()
    fates = [record for record in stage.history.records if record.op is Op.NOTICE]
    received = [one.id for one in stage.history.records if one.op is Op.RECV]
    assert len(fates) + received.count("old") == 1, "delivered and told, or neither"


async def bob_unfriends(stepper: Stepper, *, window_count: int, late: bool = False) -> None:
    stage = await Stage(stepper, window_count=window_count, late=late).set(waiting=1)
    await stage.run(stage.bob.ask("unfriended", "unfriend", username="ann"), stage.ann.send("m1", "m2"))
    await stage.end()
    assert {one.result for one in stage.history.records if one.op is Op.FAIL} <= {"not_linked"}


def _words(one: Any) -> str:
    """Name one column of a table of cases."""
    if isinstance(one, dict):
        return ",".join(f"{name}={value}" for name, value in one.items())
    return one.__name__.strip("_") if callable(one) else "all" if one == ALL else str(one)


@pytest.mark.parametrize(
    ("scenario", "how", "cuts_most"),
    [
        (bob_comes_back, {"node": "here", "waiting": 1}, 2),
        (bob_comes_back, {"node": "there", "waiting": 0}, 2),
        (bob_comes_back, {"node": "there", "waiting": 1}, ALL),
        (bob_comes_back, {"node": "here", "waiting": 1, "late": True}, 2),
        (bob_comes_back, {"node": "there", "waiting": 1, "late": True}, 2),
        (bob_acknowledges, {"window_count": 64}, ALL),
        (bob_acknowledges, {"window_count": 1}, ALL),
        (bob_acknowledges, {"window_count": 1, "late": True}, 2),
        (bob_takes_over, {"node": "here", "messages": 2}, 1),
        (bob_takes_over, {"node": "there", "messages": 2}, 1),
        (bob_takes_over, {"node": "here", "messages": 2, "acks": True}, 0),
        (bob_takes_over, {"node": "there", "messages": 2, "acks": True}, 0),
        (bob_takes_over, {"node": "here", "messages": 1, "acks": True, "late": True}, 0),
        (bob_takes_over, {"node": "there", "messages": 1, "acks": True, "late": True}, 0),
        (bob_takes_over, {"node": "there", "messages": 1, "late": True}, 1),
        (bob_leaves, {"waiting": 0}, ALL),
        (bob_leaves, {"waiting": 1}, ALL),
        (bob_leaves, {"waiting": 1, "late": True}, 2),
        (mail_expires, {"node": "here"}, 2),
        (mail_expires, {"node": "there"}, 2),
        (mail_expires, {"node": "there", "late": True}, 1),
        (bob_unfriends, {"window_count": 64}, 2),
        (bob_unfriends, {"window_count": 1}, ALL),
        (bob_unfriends, {"window_count": 1, "late": True}, 2),
    ],
    ids=_words,
)
async def test_whatever_the_order_nothing_accepted_is_lost(mistakes, scenario, how, cuts_most):
    explored = await explore(partial(scenario, **how), cuts_most=cuts_most)
    assert explored.whole
    assert explored.runs > 10
    assert not mistakes


# --- the controls ----------------------------------------------------------------------------------------------------


def _listens_after_reading(patch: pytest.MonkeyPatch) -> None:
    listen, begin = Wakes.listen, LocalHub.begin_mail

    async def later(wakes: Wakes, uid: str) -> None:
        del wakes, uid

    async def begin_mail(hub: LocalHub, user: Any, state: MailState) -> None:
        await begin(hub, user, state)
        await listen(hub._store.wakes, user.uid)

    patch.setattr(Wakes, "listen", later)
    patch.setattr(LocalHub, "begin_mail", begin_mail)


def _begins_at_the_end(patch: pytest.MonkeyPatch) -> None:
    begin = Delivery.begin
    patch.setattr(Delivery, "begin", lambda self, state: begin(self, state._replace(acked=state.last)))


def _forgets_wakes_while_reading(patch: pytest.MonkeyPatch) -> None:
    woken = Delivery.woken
    patch.setattr(Delivery, "woken", lambda self, mail: None if self._pulling else woken(self, mail))


def _acknowledges_everything(patch: pytest.MonkeyPatch) -> None:
    ack = Mailboxes.ack
    patch.setattr(Mailboxes, "ack", lambda self, uid, _, epoch: ack(self, uid, self._box(uid).last, epoch))


def _acknowledges_by_itself(patch: pytest.MonkeyPatch) -> None:
    give = Delivery._give

    def gives(self: Delivery, *what: Any) -> None:
        give(self, *what)
        self.ack(self.cursor)

    patch.setattr(Delivery, "_give", gives)


def _leaves_the_old_session_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Users, "_replace", lambda *_: None)


def _expires_under_a_session(patch: pytest.MonkeyPatch) -> None:
    expire = Mailboxes.expire

    def any_time(self: Mailboxes, uid: str, **what: Any) -> Any:
        user = self._memory.user(uid)
        return expire(self, uid, **{**what, "sid": next(iter(user.sessions), "") if user is not None else ""})

    patch.setattr(Mailboxes, "expire", any_time)


def _ends_mail_with_the_link(patch: pytest.MonkeyPatch) -> None:
    end = Links.end

    async def end_all(self: Links, uid: str, peer: str, *what: Any, **more: Any) -> bool:
        box = self._memory.boxes.get(uid)
        if box is not None:
            box.letters = [letter for letter in box.letters if letter.envelope.sender != peer]
        return await end(self, uid, peer, *what, **more)

    patch.setattr(Links, "end", end_all)


@pytest.mark.parametrize(
    ("worsen", "scenario", "how", "found"),
    [
        (_listens_after_reading, bob_comes_back, {"node": "there", "waiting": 1}, "C1 lost"),
        (_begins_at_the_end, bob_comes_back, {"node": "there", "waiting": 1}, "C1 lost"),
        (_forgets_wakes_while_reading, bob_acknowledges, {"window_count": 1, "late": True}, "C1 lost"),
        (_acknowledges_everything, bob_acknowledges, {"window_count": 1}, "C1 lost"),
        (_leaves_the_old_session_alone, bob_takes_over, {"node": "there", "messages": 1}, "the old session goes on"),
        (_begins_at_the_end, bob_takes_over, {"node": "there", "messages": 1}, "C1 lost"),
        (_acknowledges_by_itself, bob_leaves, {"waiting": 0}, "C1 lost"),
        (_expires_under_a_session, mail_expires, {"node": "there"}, "delivered and expired"),
        (_ends_mail_with_the_link, bob_unfriends, {"window_count": 1}, "C1 lost"),
    ],
    ids=_words,
)
async def test_control_worse_code_is_found_out(monkeypatch, worsen, scenario, how, found):
    worsen(monkeypatch)
    with pytest.raises(AssertionError, match=found) as failure:
        await explore(partial(scenario, **how), cuts_most=2)
    assert "Stepper([" in failure.value.__notes__[0]
