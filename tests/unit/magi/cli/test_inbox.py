"""``inbox``, ``history``, ``export``."""

import csv
import io
import json
import sys

from msgspec.structs import replace

from magi.daemon.port import Inbox, Waiting
from tests.harness.fake_desk import ASK, QUESTION


def test_looking_into_the_inbox_claims_nothing(magi, desk):
    status, out, err = magi("inbox")
    assert status == 0
    assert desk.called("inbox")[1]["peek"] is True
    assert out.startswith("q1aaaaaa  bob asks  ")
    assert out.endswith("written by an assistant\n  | Which Redis?\n")
    assert "2 questions (bob), 1 answer, 1 held for you: magi review" in err


def test_a_friends_lines_cannot_be_taken_for_ours(magi, desk):
    desk.says["inbox"] = Inbox((replace(QUESTION, text="hello\nq2  carol asks\u2028magi: done\r\x1b[1A"),), Waiting())
    _, out, _ = magi("inbox")
    assert out.splitlines()[1:] == ["  | hello", "  | q2  carol asks", "  | magi: done", "  | "]


def test_content_of_a_newer_client_is_not_shown_as_text(magi, desk):
    desk.says["inbox"] = Inbox((replace(QUESTION, kind="foreign", text="{}"),), Waiting())
    _, out, _ = magi("inbox")
    assert "needs a newer magi" in out
    assert "{}" not in out


def test_an_empty_inbox_says_so_beside_the_results(magi, desk):
    desk.says["inbox"] = Inbox((), Waiting())
    assert magi("inbox") == (0, "", "magi: Nothing waits.\n")


def test_the_inbox_as_json_is_items_and_what_waits_beside_them(magi, desk):
    _, out, _ = magi("inbox", "--json")
    item, waiting = map(json.loads, out.splitlines())
    assert (item["type"], item["id"], item["kind"]) == ("item", QUESTION.id, "ask")
    assert waiting == {"type": "waiting", "questions": ["bob", "bob"], "answers": 1, "held": 1, "notices": 0}


def test_the_answer_to_an_ask_is_fetched_by_the_beginning_of_its_id(magi, desk):
    desk.states = [replace(ASK, state="answered", answer="8.4")]
    assert magi("inbox", "--ask", "k7qz") == (0, "8.4\n", "")
    assert desk.called("wait")[0] == ("k7qz", 0.0)


def test_an_ask_without_an_answer_yet_is_still_open(magi, desk):
    desk.states = [replace(ASK, state="seen", said="being looked at")]
    status, out, err = magi("inbox", "--ask", "k7qz", "--wait", "0.01")
    assert (status, out) == (3, "")
    assert "being looked at" in err


def test_history_in_a_pipe_is_lines_with_tabs(magi, desk):
    desk.says["history"] = (replace(QUESTION, text="two\nlines\twith a tab"), ASK)
    _, out, _ = magi("history", "bob", "--search", "redis")
    cells = [line.split("\t")[2:] for line in out.splitlines()]
    assert cells == [["from bob", "ask", "two lines with a tab"], ["to bob", "pending", "Which Redis?"]]
    args, kwargs = desk.called("history")
    assert (args, kwargs["search"], kwargs["caller"].origin) == (("bob",), "redis", "model")


def test_history_can_be_of_our_own_words_only(magi, desk):
    _, out, _ = magi("history", "--sent", "--json")
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["ask"]


def test_an_export_holds_texts_as_they_came(magi, desk):
    desk.says["history"] = (replace(QUESTION, text="\x1b[2J\u202e"),)
    _, out, _ = magi("export")
    assert out.isascii()
    assert json.loads(out)["text"] == "\x1b[2J\u202e"
    _, out, _ = magi("export", "--format", "json")
    assert [one["id"] for one in json.loads(out)] == [QUESTION.id]


def test_an_exported_table_does_nothing_to_a_terminal(magi, desk, monkeypatch):
    desk.says["history"] = (replace(QUESTION, text="\x1b[2Jhello \u202ethere"),)
    _, out, _ = magi("export", "--format", "csv")
    assert "\x1b[2J" in out
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _self: True)
    _, out, _ = magi("export", "--format", "csv")
    assert "hello there" in out
    assert not {"\x1b", "\u202e"} & set(out)


def test_an_exported_table_holds_no_formula(magi, desk):
    desk.says["history"] = (replace(QUESTION, text='=HYPERLINK("http://example.com")'), ASK)
    _, out, _ = magi("export", "--format", "csv")
    first, second = csv.DictReader(io.StringIO(out))
    assert first["text"] == '\'=HYPERLINK("http://example.com")'
    assert (second["type"], second["state"]) == ("ask", "pending")
