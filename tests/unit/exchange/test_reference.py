import re

from exchange.labels import INVITES
from exchange.metrics import Metrics
from exchange.reference import markdown, text
from worker.metrics import JOBS, WorkerMetrics


def test_every_metric_is_on_the_page_and_in_the_list():
    page, lines = markdown(), text().splitlines()
    metrics = (*Metrics().instruments(), *WorkerMetrics().instruments())
    assert len(lines) == len(metrics)
    for metric, line in zip(metrics, lines, strict=True):
        assert f"| `{metric.name}` |" in page
        assert line.startswith(metric.name)
        assert line.endswith(metric.description)


def test_labels_come_with_all_their_values():
    rows = {row.split("`")[1]: row for row in markdown().splitlines() if row.startswith("| `")}
    assert f"`event`: {', '.join(sorted(INVITES))} |" in rows["exchange_invites_total"]
    assert f"`job`: {', '.join(sorted(JOBS))} |" in rows["worker_job_held"]
    assert "`dialect`: magi<br>`result`: " in rows["exchange_connections_opened_total"]


def test_what_only_a_start_knows_is_not_on_the_page():
    (row,) = re.findall(r"^\| `exchange_build_info`.*$", markdown(), re.MULTILINE)
    assert "`version`<br>" in row


def test_the_page_is_a_table_of_four_columns():
    rows = [row for row in markdown().splitlines() if row.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
