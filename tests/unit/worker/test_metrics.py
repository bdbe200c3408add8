import time

from prometheus_client import generate_latest

from worker.metrics import JOBS, WorkerMetrics


def test_every_series_is_there_from_the_start():
    text = generate_latest(WorkerMetrics().registry).decode()
    for job in JOBS:
        assert f'worker_job_held{{job="{job}"}} 0' in text
        assert f'worker_job_success_timestamp_seconds{{job="{job}"}} 0' in text
    assert 'worker_reaped_total{what="session"} 0' in text
    assert "process_start_time_seconds" in text


def test_a_run_that_was_done_leaves_its_time():
    metrics, before = WorkerMetrics(), time.time()
    metrics.job_done("sweep", "ok", 0.5)
    assert before <= metrics.job_success.value("sweep") <= time.time()
    assert 'worker_job_seconds_count{job="sweep",outcome="ok"} 1' in generate_latest(metrics.registry).decode()


def test_a_run_that_failed_is_no_success():
    metrics = WorkerMetrics()
    metrics.job_done("sweep", "failed", 0.5)
    assert metrics.job_success.value("sweep") == 0
    assert 'worker_job_seconds_count{job="sweep",outcome="failed"} 1' in generate_latest(metrics.registry).decode()
