"""The program ``magi`` as people and programs run it: processes, pipes and terminals, against a real exchange."""

import asyncio
import contextlib
import sys

import pytest

from tests.harness.in_process import in_process
from tests.harness.shell import Machine
from tests.harness.waiting import eventually


@pytest.fixture
async def server():
    """The address of an exchange."""
    async with in_process("one", {}) as running:
        yield f"ws://127.0.0.1:{running.ports[0]}/"


@pytest.fixture
async def people(tmp_path, server):
    """Alice and Bob, who are friends and call each other ``alice`` and ``bob``."""
    async with contextlib.AsyncExitStack() as ends:
        alice, bob = Machine(tmp_path / "a"), Machine(tmp_path / "b")
        for machine, name in ((alice, "alice"), (bob, "bob")):
            ends.push_async_callback(machine.clean_up)
            said = await machine.run("register", "-u", f"{name}@example.com", "-s", server)
            assert (said.status, said.out) == (0, f"You are {name}@example.com at {server}.\n"), said.err
        invite = await alice.run("invite")
        assert invite.status == 0, invite.err
        said = await bob.run("connect", invite.out.strip().lower())
        assert said.status == 0, said.err
        yield alice, bob


async def question_of(machine):
    """Wait until a question is there, and return it."""

    async def waits():
        return [line for line in (await machine.run("inbox", "--json", "--wait", "5")).lines if line["type"] == "item"]

    (question,) = await eventually(waits)
    return question


# --- before anything is set up ---------------------------------------------------------------------------------------


async def test_alone_it_shows_the_quick_start_and_commands_say_what_is_missing(tmp_path):
    nobody = Machine(tmp_path / "n")
    said = await nobody.run()
    assert said.status == 0
    assert "magi register -u" in said.out
    said = await nobody.run("ask", "bob", "Which Redis?")
    assert (said.status, said.out) == (9, "")
    assert "Run: magi register" in said.err
    assert "Nothing was sent." in said.err
    assert not list(nobody.home.iterdir())


async def test_an_exchange_out_of_reach_leaves_a_profile_and_says_so(tmp_path):
    alice = Machine(tmp_path / "a")
    try:
        process = await alice.start("register", "-u", "alice@example.com", "-s", "ws://127.0.0.1:1/")
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out) == (8, b"")
        assert b"The profile default is made; the name is not yours yet." in err
    finally:
        await alice.clean_up()


# --- pipes -----------------------------------------------------------------------------------------------------------


async def test_programs_ask_and_look_later(people):
    alice, bob = people
    asked = await alice.run("ask", "bob", "-", "--wait", "0", "--json", typed="Which Redis?\n")
    assert asked.status == 3
    (ask,) = asked.lines
    assert (ask["type"], ask["text"], ask["answer"]) == ("ask", "Which Redis?", "")

    question = await question_of(bob)
    assert (question["who"], question["kind"], question["text"]) == ("alice", "ask", "Which Redis?")
    # What a program answers in mode ask waits for the owner (CLI-33).
    held = await bob.run("answer", question["id"][:6], "8.4")
    assert (held.status, held.out) == (10, "")
    assert "waiting for you: magi review" in held.err

    later = await alice.run("inbox", "--ask", ask["id"][:6])
    assert (later.status, later.out) == (3, "")
    assert "The question goes on" in later.err


async def test_a_note_reaches_who_listens(people):
    alice, bob = people
    listening = await bob.start("listen", "--once", "--json")
    try:
        sent = await alice.run("send", "-t", "bob", "-m", "The build is green.")
        assert (sent.status, sent.out) == (0, ""), sent.err
        out, _ = await asyncio.wait_for(listening.communicate(), 30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            listening.kill()
    assert b'"kind": "note"' in out
    assert b"The build is green." in out
    assert listening.returncode == 0
    waiting = await bob.run("inbox")
    assert (waiting.status, waiting.out) == (0, "")


async def test_who_is_not_a_friend_is_not_asked(people):
    alice, _ = people
    said = await alice.run("ask", "mallory", "Which Redis?")
    assert said.status == 1
    assert "mallory" in said.err
    assert "Nothing was sent." in said.err


async def test_a_command_answers_for_a_friend_in_mode_auto(people, tmp_path):
    alice, bob = people
    async with bob.terminal("mode", "alice", "auto") as terminal:
        await terminal.copies_the_number()
        assert await terminal.ends() == 0
        assert "alice: auto" in terminal.screen
    script = tmp_path / "answer.py"
    script.write_text("import json, sys\nprint(json.load(sys.stdin)['question'].upper())\n")
    listening = await bob.start("listen", "--exec", f"'{sys.executable}' '{script}'")
    try:
        said = await alice.run("ask", "bob", "which redis?")
    finally:
        listening.terminate()
        await listening.wait()
    assert (said.status, said.out, said.err) == (0, "WHICH REDIS?\n", "")


async def test_without_a_daemon_the_question_is_in_the_record_all_the_same(people):
    alice, _ = people
    assert (await alice.run("daemon", "stop")).status == 0
    asked = await alice.run("ask", "bob", "Which Redis?", "--direct", "--wait", "0", "--json")
    assert asked.status == 3, asked.err
    assert (await alice.run("daemon", "status")).status == 1
    (said,) = (await alice.run("history", "--json")).lines
    assert said["id"] == asked.lines[0]["id"]


# --- a terminal ------------------------------------------------------------------------------------------------------


async def test_two_people_ask_and_answer_at_their_terminals(people):
    alice, bob = people
    async with alice.terminal("ask", "bob", "Which Redis?") as asking:
        await asking.sees("waits for bob in person")
        question = await question_of(bob)
        async with bob.terminal("answer", question["id"][:6], "8.4, cluster mode") as answering:
            assert await answering.ends() == 0
        assert await asking.ends() == 0
        assert asking.screen.endswith("8.4, cluster mode\n")


async def test_ctrl_c_ends_the_wait_and_not_the_question(people):
    # CLI-30
    alice, bob = people
    async with alice.terminal("ask", "bob", "Which Redis?") as asking:
        await asking.sees("waits for bob in person")
        asking.types("\x03")
        assert await asking.ends() == 130
        assert "The question goes on" in asking.screen
        hint = asking.screen.rpartition("magi inbox --ask ")[2].strip()
    question = await question_of(bob)
    async with bob.terminal("answer", question["id"], "8.4") as answering:
        assert await answering.ends() == 0
    said = await alice.run("inbox", "--ask", hint, "--wait", "20")
    assert (said.status, said.out) == (0, "8.4\n")
    # Fetched is read: it waits no more.
    assert (await alice.run("inbox")).out == ""


async def test_what_an_assistant_drafted_leaves_once_its_owner_approves(people):
    alice, bob = people
    asked = (await alice.run("ask", "bob", "Which Redis?", "--wait", "0", "--json")).lines[0]
    question = await question_of(bob)
    assert (await bob.run("answer", question["id"], "8.4, I think")).status == 10
    async with bob.terminal("review") as reviewing:
        await reviewing.copies_the_number()
        await reviewing.sees("[a]pprove")
        assert "  | Which Redis?" in reviewing.screen
        assert "  | 8.4, I think" in reviewing.screen
        reviewing.types("a\n")
        assert await reviewing.ends() == 0
    said = await alice.run("inbox", "--ask", asked["id"], "--wait", "20")
    assert (said.status, said.out) == (0, "8.4, I think\n")


async def test_another_number_raises_nothing(people):
    _, bob = people
    async with bob.terminal("mode", "alice", "auto") as terminal:
        await terminal.sees(", type ")
        terminal.types("no\n")
        assert await terminal.ends() == 1
        assert "That was not the number. Nothing was changed." in terminal.screen
    assert (await bob.run("mode", "alice")).out == "alice: ask\n"


@pytest.mark.parametrize("argv", [("mode", "alice", "auto"), ("review",), ("pause", "--off")])
async def test_an_assistant_in_a_terminal_of_its_client_raises_nothing(people, argv):
    # CLI-35
    _, bob = people
    async with bob.terminal(*argv, CLAUDE_CODE_CHILD_SESSION="1") as terminal:
        assert await terminal.ends() == 1
        assert "is up to your owner" in terminal.screen


async def test_a_table_at_a_terminal_has_heads(people):
    alice, _ = people
    async with alice.terminal("friends") as terminal:
        assert await terminal.ends() == 0
        head, row = terminal.screen.strip().splitlines()
    assert head.split()[:2] == ["name", "username"]
    assert row.split()[:3] == ["bob", "bob@example.com", "bob"]
