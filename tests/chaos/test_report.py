"""A report says what was played, with what outcome, and shows it."""

import json
import xml.etree.ElementTree as ET

from tests.chaos.checker import check
from tests.chaos.report import Report, folder_of, write
from tests.chaos.stage import Outcome
from tests.chaos.test_checker import Story, good


def outcome(name: str, story: Story) -> Outcome:
    history = story.history()
    history.fault("kill -9 node0", 0.5)
    return Outcome(name, 7, check(history), history, {"longest drain": 3.25})


def test_a_report_holds_counts_faults_and_what_was_broken(tmp_path):
    report = Report("gate", 7)
    report.add(outcome("T1", good()), 100)
    report.add(outcome("T2", Story().here().invoke("1").ok("1")), 8)
    found, page, picture = write(report, tmp_path)
    document = json.loads(found.read_text())
    assert document["fault_model"] == "process kill, no power loss"
    assert document["scenarios"]["T1"]["ok"] == 6
    assert document["scenarios"]["T1"]["measured"] == {"longest drain": 3.25}
    assert document["scenarios"]["T1"]["broken"] == []
    assert document["scenarios"]["T2"]["lost"] == 1
    assert {"python", "valkey"} <= document["machine"].keys()
    text = page.read_text()
    assert "| T2 | 8 |" in text
    assert "- T2: C1 lost: ada -> bob 1" in text
    assert picture.name in text
    drawn = ET.fromstring(picture.read_text())
    assert any(title.text == "kill -9 node0" for title in drawn.iter("{http://www.w3.org/2000/svg}title"))


def test_an_empty_report_can_be_written(tmp_path):
    assert all(path.is_file() for path in write(Report("gate", 1), tmp_path))


def test_only_the_report_of_the_night_stays_with_the_documents():
    assert folder_of("nightly").parts[-2:] == ("docs", "results")
    assert folder_of("gate").parts[-2:] == ("chaos", "results")
