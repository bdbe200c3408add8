"""Real daemon processes: who starts them, when they leave, and what a kill at the worst moment costs (CLI-21 to CLI-26)."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from magi.client.errors import StoreLocked
from magi.daemon import start
from magi.daemon.local import opened
from magi.daemon.port import DaemonAway
from magi.daemon.protocol import PROTOCOL, Hello
from magi.daemon.remote import FaceLine, RemoteDesk
from magi.daemon.start import COMMAND, Finder
from magi.testing import ScriptedExchange
from magi.wire import magi1_requests as r
from tests.harness.offices import MODEL, OWNER, comes, profile
from tests.harness.waiting import WAIT_SECONDS, eventually
from tests.integration.client.dying import MOMENTS

DYING = Path(__file__).with_name("dying.py")


class Machine:
    """One user's machine: a profile, the daemons that were started for it, and an exchange with Bob at the other end."""

    def __init__(self, place, exchange, ends):
        self.exchange = exchange
        self.profile = profile(place, "alice", exchange.address)
        self.pids = set()
        self._finders = []
        self._place = place
        self._ends = ends

    async def face(self, caller=OWNER, *, command=COMMAND, start=True, redials=True):
        """Return a desk of a face, and start what it needs by ``command``."""
        hello = Hello(PROTOCOL, "0.1.0", caller.face, "", caller.session, os.getpid())
        finder = Finder(self.profile, hello, start=start, command=command)
        usual = Finder(self.profile, hello, start=redials)
        self._finders += [finder, usual]

        async def dial() -> FaceLine:
            line = await (finder if not self.pids or command is COMMAND else usual).dial()
            self.pids.add(line.welcome.pid)
            return line

        desk = await RemoteDesk.open(dial)
        self._ends.push_async_callback(desk.close)
        return desk

    async def dies(self, moment):
        """Return a desk whose daemon dies at a moment; the next call that may be repeated finds another one."""
        assert moment in MOMENTS
        return await self.face(command=(sys.executable, str(DYING), moment))

    async def bob(self):
        """Open Bob's desk, in this process."""
        bob = await self._ends.enter_async_context(
            opened(profile(self._place, "bob", self.exchange.address), daemon=True)
        )
        await self.exchange.arrival("bob")
        return bob

    async def pid(self):
        """Return the process that serves now."""
        line = await start.find(self.profile)
        await line.close()
        return line.welcome.pid

    async def kill(self):
        """Kill the daemon and see it gone."""
        pid = await self.pid()
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not runs(pid))

    async def serves(self):
        """Tell whether somebody serves."""
        try:
            await self.pid()
        except DaemonAway:
            return False
        return True

    async def clean_up(self):
        """End what is left."""
        with suppress(DaemonAway):
            self.pids.add(await self.pid())
        # One that lost a race may still be starting, and would have the profile next.
        self.pids |= {one._child.pid for one in self._finders if one._child is not None and one._child.poll() is None}
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not any(map(runs, self.pids)))


def runs(pid):
    """Tell whether a process runs; a zombie does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
async def machine(tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("d")
    monkeypatch.setenv("MAGI_HOME", str(place))
    async with ScriptedExchange() as exchange, AsyncExitStack() as ends:
        await exchange.pair("alice", "bob")
        alice = Machine(place, exchange, ends)
        ends.push_async_callback(alice.clean_up)
        yield alice


def questions(machine, username="alice"):
    """Return the asks that the exchange heard of a user."""
    return [frame for name, frame in machine.exchange.heard if name == username and isinstance(frame, r.Ask)]


async def has_friend(desk):
    return bool(await desk.friends())


# --- start and end ---------------------------------------------------------------------------------------------------


async def test_a_face_starts_a_daemon_and_the_next_one_shares_it(machine):
    one = await machine.face()
    assert (await one.status()).daemon
    two = await machine.face(MODEL)
    await machine.exchange.arrival("alice")
    await eventually(lambda: has_friend(two))
    assert len(machine.pids) == 1
    assert os.getsid(*machine.pids) != os.getsid(0), "it is detached"


async def test_of_many_starters_one_wins_and_all_become_its_faces(machine):
    desks = await asyncio.gather(*(machine.face() for _ in range(5)))
    assert [status.username for status in await asyncio.gather(*(desk.status() for desk in desks))] == ["alice"] * 5
    assert len(machine.pids) == 1


async def test_without_start_nothing_is_started(machine):
    with pytest.raises(DaemonAway, match="not running"):
        await machine.face(start=False)
    assert not machine.profile.places.socket.exists()


async def test_the_socket_of_a_killed_daemon_is_in_nobodys_way(machine):
    desk = await machine.face()
    await machine.kill()
    assert machine.profile.places.socket.exists()
    assert (await desk.status()).username == "alice"
    assert len(machine.pids) == 2


async def test_the_socket_and_the_log_are_the_owners_only(machine):
    await machine.face()
    places = machine.profile.places
    assert len(os.fsencode(places.socket)) < 100
    for path, mode in ((places.socket.parent, 0o700), (places.socket, 0o600), (places.log, 0o600)):
        assert path.stat().st_mode & 0o777 == mode


async def test_a_signal_ends_it_in_order(machine):
    await machine.face()
    (pid,) = machine.pids
    await machine.exchange.arrival("alice")
    os.kill(pid, signal.SIGTERM)
    await eventually(lambda: not runs(pid))
    assert not machine.profile.places.socket.exists()
    assert "daemon.ended" in machine.profile.places.log.read_text()
    machine.profile.hold().release()


async def test_it_can_be_stopped(machine):
    assert not await start.stop(machine.profile)
    await machine.face()
    assert await start.stop(machine.profile)
    await eventually(lambda: not any(map(runs, machine.pids)))


async def test_a_daemon_that_cannot_start_is_an_error_that_names_the_log(machine):
    with pytest.raises(DaemonAway, match=r"daemon\.log"):
        await machine.face(command=(sys.executable, "-c", "raise SystemExit(1)"))


async def test_it_leaves_when_nobody_needs_it_and_not_before(machine, monkeypatch):
    """CLI-22: a face keeps it, then an open ask; then it goes."""
    monkeypatch.setenv("MAGI_LOG", "debug")
    log = machine.profile.places.log
    command = (*COMMAND, "--idle-seconds", "0.5")
    desk = await machine.face(command=command)
    await eventually(lambda: has_friend(desk))
    view = await desk.ask("bob", "Which Redis?", caller=OWNER)
    await desk.close()
    bob = await machine.bob()
    item = (await comes(bob, OWNER)).items[0]
    stayed = log.read_text().count("daemon.stays")
    await eventually(lambda: log.read_text().count("daemon.stays") >= stayed + 2)
    await bob.answer(item.id, "8.4", caller=OWNER)
    await eventually(lambda: not any(map(runs, machine.pids)))
    again = await machine.face()
    assert (await again.wait(view.id, WAIT_SECONDS)).answer == "8.4"


async def test_its_log_holds_no_words_codes_or_tokens(machine, monkeypatch):
    monkeypatch.setenv("MAGI_LOG", "debug")
    desk = await machine.face()
    await eventually(lambda: has_friend(desk))
    code = (await desk.invite()).code
    await desk.ask("bob", "Which Redis do you run?", caller=OWNER)
    await machine.bob()
    await eventually(lambda: questions(machine))
    await start.stop(machine.profile)
    log = machine.profile.places.log.read_text()
    token = (machine.profile.places.data / "token.json").read_text().split('"')[3]
    assert "daemon.started" in log
    for secret in (code, "Redis", token):
        assert secret not in log


# --- direct ----------------------------------------------------------------------------------------------------------


async def test_a_direct_command_needs_no_daemon(machine):
    async with start.desk(machine.profile, direct=True) as desk:
        assert not (await desk.status()).daemon
        await eventually(lambda: has_friend(desk))
        view = await desk.ask("bob", "Which Redis?", caller=OWNER)
        bob = await machine.bob()
        await bob.answer((await comes(bob, OWNER)).items[0].id, "8.4", caller=OWNER)
        assert (await desk.wait(view.id, WAIT_SECONDS)).answer == "8.4"
    assert not await machine.serves()


async def test_a_direct_command_becomes_a_face_of_the_daemon_that_is_there(machine):
    await machine.face()
    async with start.desk(machine.profile, direct=True) as desk:
        assert (await desk.status()).daemon


async def test_while_a_direct_command_has_the_profile_a_face_is_told_so(machine, monkeypatch):
    monkeypatch.setattr(start, "READY_SECONDS", 1.0)
    async with start.desk(machine.profile, direct=True):
        with pytest.raises(StoreLocked, match=str(os.getpid())):
            await machine.face()


# --- killed at any moment (CLI-25) -----------------------------------------------------------------------------------


async def test_killed_before_the_outbox_nothing_was_sent_until_the_face_asks_again(machine):
    desk = await machine.dies("before the outbox")
    await eventually(lambda: has_friend(desk))
    view = await desk.ask("bob", "Which Redis?", caller=OWNER)
    bob = await machine.bob()
    assert [item.id for item in (await comes(bob, OWNER)).items] == [view.id]
    assert {frame.id for frame in questions(machine)} == {view.id}
    assert len(machine.pids) == 2


async def test_killed_after_the_outbox_the_ask_goes_out_once_under_its_id(machine):
    desk = await machine.dies("after the outbox")
    await eventually(lambda: has_friend(desk))
    view = await desk.ask("bob", "Which Redis?", caller=OWNER)
    bob = await machine.bob()
    assert [item.id for item in (await comes(bob, OWNER)).items] == [view.id]
    await bob.answer(view.id, "8.4", caller=OWNER)
    assert (await desk.wait(view.id, WAIT_SECONDS)).answer == "8.4"
    assert len(machine.pids) == 2


@pytest.mark.parametrize("moment", ["before the inbox", "after the inbox"])
async def test_killed_at_the_inbox_a_question_comes_again_and_is_there_once(machine, moment):
    """Not committed: not acknowledged, so it comes again. Committed, not acknowledged: it comes again as a double."""
    bob = await machine.bob()
    desk = await machine.dies(moment)
    (first,) = machine.pids
    await eventually(lambda: has_friend(bob))
    view = await bob.ask("alice", "Which Redis?", caller=OWNER)
    await eventually(lambda: not runs(first))
    assert [frame.id for frame in machine.exchange.unacked("alice")] == [view.id]
    assert [item.id for item in (await comes(desk, OWNER)).items] == [view.id]
    await eventually(lambda: not machine.exchange.unacked("alice"))
    assert len((await desk.inbox(caller=OWNER)).items) == 1
    await desk.answer(view.id, "8.4", caller=OWNER)
    assert (await bob.wait(view.id, WAIT_SECONDS)).answer == "8.4"


async def test_killed_after_a_claim_the_question_is_offered_when_the_lease_runs_out(machine):
    bob = await machine.bob()
    hello = Hello(PROTOCOL, "0.1.0", "mcp", "", "s9", os.getpid())
    keeper = await machine.dies("after a claim")
    dying = await RemoteDesk.open(lambda: FaceLine.open(machine.profile.places.socket, hello))
    await eventually(lambda: has_friend(bob))
    view = await bob.ask("alice", "Which Redis?", caller=OWNER)
    with pytest.raises(DaemonAway):
        await dying.inbox(caller=MODEL, wait_seconds=WAIT_SECONDS)
    await dying.close()
    assert (await keeper.status()).daemon, "another one runs"
    two = await machine.face(MODEL)
    assert [item.id for item in (await comes(two, MODEL)).items] == [view.id]


async def test_killed_with_a_draft_it_still_waits_and_leaves_once(machine):
    bob = await machine.bob()
    desk = await machine.dies("after a draft")
    model = await machine.face(MODEL)
    await eventually(lambda: has_friend(bob))
    view = await bob.ask("alice", "Which Redis?", caller=OWNER)
    await comes(desk, OWNER, peek=True)
    with pytest.raises(DaemonAway, match="may or may not"):
        await model.answer(view.id, "8.4", caller=MODEL)
    (held,) = await desk.held()
    assert (held.draft, held.question) == ("8.4", "Which Redis?")
    await desk.review(held.id, approve=True)
    assert (await bob.wait(view.id, WAIT_SECONDS)).answer == "8.4"


async def test_killed_after_a_review_the_answer_leaves_once(machine):
    bob = await machine.bob()
    desk = await machine.dies("after a review")
    model = await machine.face(MODEL)
    await eventually(lambda: has_friend(bob))
    view = await bob.ask("alice", "Which Redis?", caller=OWNER)
    await comes(desk, OWNER, peek=True)
    draft = await model.answer(view.id, "8.4", caller=MODEL)
    with pytest.raises(DaemonAway):
        await desk.review(draft.id, approve=True)
    assert await desk.held() == ()
    assert (await bob.wait(view.id, WAIT_SECONDS)).answer == "8.4"


async def test_killed_while_the_responder_runs_it_is_ended_and_tried_once_more(machine, tmp_path):
    """Then the owner is asked: a question that kills daemons is not tried for ever."""
    note, program = tmp_path / "runs", tmp_path / "responder.py"
    program.write_text(
        "import os, sys, time\n"
        f"os.write(os.open({str(note)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT), f'{{os.getpid()}} '.encode())\n"
        "time.sleep(600)\n"
    )
    machine.profile.change({"responder.command": [sys.executable, str(program)]})
    bob = await machine.bob()
    desk = await machine.face()
    await eventually(lambda: has_friend(bob))
    view = await bob.ask("alice", "Which Redis?", caller=OWNER)
    for count in (1, 2):
        await eventually(lambda count=count: note.exists() and len(note.read_text().split()) == count)
        await machine.kill()
        await eventually(lambda: not any(runs(int(pid)) for pid in note.read_text().split()))
        await desk.status()
    await eventually(lambda: stalled(bob, view.id))
    assert len(note.read_text().split()) == 2


async def stalled(desk, ask_id):
    return (await desk.wait(ask_id, 0.0)).state == "stalled"
