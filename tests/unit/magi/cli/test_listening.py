"""``listen``."""

import json
import sys

import pytest
from msgspec.structs import replace

from magi.cli.listening import RUNS_A_DAY
from magi.client.errors import AlreadySettled
from magi.daemon.port import DaemonAway
from tests.harness.fake_desk import QUESTION, FakeDesk

NOTE = replace(QUESTION, id="n1aaaaaabbbb", kind="note", text="green")
ANSWER = replace(QUESTION, id="a1aaaaaabbbb", kind="answer")
SECOND = replace(QUESTION, id="q2aaaaaabbbb", text="Which Valkey?")


class Over(BaseException):
    """Ends a command that would go on for ever."""


@pytest.fixture
def listen(magi, desk, monkeypatch):
    """Run ``listen`` until nothing comes any more."""
    events = FakeDesk.events

    async def once(self):
        async for what in events(self):
            yield what
        raise Over

    monkeypatch.setattr(FakeDesk, "events", once)

    def run(*argv, once=False):
        if once:
            return magi("listen", "--once", *argv)
        try:
            return magi("listen", *argv)
        except Over:
            return None

    return run


def test_questions_are_printed_as_they_come_each_once(listen, desk, capsys):
    desk.comings = [(QUESTION,), (QUESTION, SECOND)]
    listen("--json")
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [QUESTION.id, SECOND.id]
    assert desk.started
    assert "peek" not in next(call for call in desk.calls if call[0] == "inbox")[2]


def test_a_question_is_printed_with_how_to_answer_it(listen, desk):
    desk.comings = [(QUESTION,)]
    status, out, err = listen(once=True)
    assert status == 0
    assert "bob asks" in out
    assert "magi answer q1aaaaaa" in err


def test_a_note_is_settled_by_being_printed_and_an_answer_is_left_to_who_asked(listen, desk, capsys):
    desk.comings = [(ANSWER, NOTE)]
    listen()
    assert desk.called("ack")[0] == (NOTE.id,)
    assert ANSWER.id[:8] not in capsys.readouterr().out


def test_once_ends_after_the_first(listen, desk):
    desk.comings = [(QUESTION, SECOND)]
    _, out, _ = listen("--json", once=True)
    assert [json.loads(line)["id"] for line in out.splitlines()] == [QUESTION.id]


def test_a_daemon_that_ends_meanwhile_is_looked_for_again(listen, desk, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    events, lost = FakeDesk.events, [True]

    async def breaking(self):
        if lost:
            lost.pop()
            raise DaemonAway
        async for what in events(self):
            yield what

    monkeypatch.setattr("magi.cli.listening.asyncio.sleep", sleep)
    monkeypatch.setattr(FakeDesk, "events", breaking)
    desk.comings = [(QUESTION,)]
    assert listen(once=True)[0] == 0
    assert waited == [1.0]


def program(tmp_path, body):
    script = tmp_path / "answer.py"
    script.write_text(f"import json, sys\nasked = json.load(sys.stdin)\n{body}\n")
    return f"'{sys.executable}' '{script}'"


def test_a_command_answers_what_it_reads(listen, desk, tmp_path):
    # CLI-40
    desk.comings = [(QUESTION,)]
    status, out, _ = listen("--exec", program(tmp_path, "print(asked['petname'], asked['question'])"), once=True)
    args, kwargs = desk.called("answer")
    assert args == (QUESTION.id, "bob Which Redis?")
    assert kwargs["caller"].origin == "model"
    assert (status, out) == (0, "q1aaaaaa  bob: answer, handed to bob's connection, not read yet\n")


def test_a_command_can_decline_or_leave_a_question_to_the_owner(listen, desk, tmp_path, capsys):
    desk.comings = [(QUESTION, SECOND)]
    body = "print('I may not say')\nsys.exit(10 if 'Redis' in asked['question'] else 11)"
    listen("--exec", program(tmp_path, body))
    assert desk.called("decline")[0] == (QUESTION.id, "I may not say")
    assert "answer" not in desk.names()
    assert "q2aaaaaa of bob is left: I may not say" in capsys.readouterr().err


def test_notes_are_not_answered_and_a_failed_run_leaves_the_question(listen, desk, tmp_path, capsys):
    desk.comings = [(NOTE, QUESTION)]
    listen("--exec", program(tmp_path, "sys.exit(3)"))
    assert not {"answer", "decline", "ack"}.intersection(desk.names())
    assert "q1aaaaaa of bob is left: exit status 3" in capsys.readouterr().err


def test_a_question_that_somebody_else_settled_ends_nothing(listen, desk, tmp_path, capsys):
    desk.says["answer"] = AlreadySettled()
    desk.comings = [(QUESTION,), (SECOND,)]
    listen("--exec", program(tmp_path, "print('yes')"))
    assert desk.names().count("answer") == 2
    assert "settled meanwhile" in capsys.readouterr().err


def test_a_friend_gets_so_many_answers_a_day(listen, desk, monkeypatch, capsys):
    class Never:
        """A responder that answers without running anything."""

        def __init__(self, _directory):
            pass

        async def run(self, _argv, _errand, *, friend):
            from magi.daemon.responder import Outcome, Verdict

            return Outcome(Verdict.ANSWER, f"to {friend}")

    monkeypatch.setattr("magi.cli.listening.Responder", Never)
    desk.comings = [tuple(replace(QUESTION, id=f"q{number:020}") for number in range(RUNS_A_DAY + 2))]
    listen("--exec", "answer")
    assert desk.names().count("answer") == RUNS_A_DAY
    assert capsys.readouterr().err.count("had 50 answers today") == 2
