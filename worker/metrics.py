"""Every metric of the worker: one attribute of :class:`WorkerMetrics` each (OPS-9)."""

import time
from itertools import product

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from exchange.instruments import A_SECONDS, Counter, Gauge, Histogram, Instrument

JOBS = ("reap_nodes", "settle_dues", "take_census", "retain", "sweep")
"""Label of every job; the timetable names the same."""

OUTCOMES = ("ok", "postponed", "failed", "cut")
"""A run was done; the store was out of reach; a mistake of ours; another worker took over, or this one ends."""

STATS = ("sum", "p95", "max")


class WorkerMetrics:
    """All metrics of one worker. They belong to its event loop; a scrape only reads them."""

    def __init__(self) -> None:
        each_job = [(job,) for job in JOBS]
        self.job_seconds = Histogram(
            "worker_job_seconds",
            "How long jobs ran, by outcome.",
            A_SECONDS,
            ("job", "outcome"),
            product(JOBS, OUTCOMES),
        )
        self.job_success = Gauge(
            "worker_job_success_timestamp_seconds", "When this worker last did a job; 0 for never.", ("job",), each_job
        )
        self.job_held = Gauge(
            "worker_job_held", "1 while this worker is the one that does the job.", ("job",), each_job
        )
        self.reaped = Counter(
            "worker_reaped_total", "Dead nodes cleared, and sessions of theirs.", ("what",), [("node",), ("session",)]
        )
        self.reap_seconds = Histogram("worker_reap_seconds", "How long the clearing of a dead node took.", A_SECONDS)
        self._mailboxes()
        self.sweep_found = Counter(
            "worker_sweep_found_total",
            "What the daily sweep found and set right; 0 is expected.",
            ("kind",),
            [("due",), ("half_link",)],
        )
        self.registry = CollectorRegistry()
        for instrument in self.instruments():
            self.registry.register(instrument)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _mailboxes(self) -> None:
        stats = [(stat,) for stat in STATS]
        self.mailbox_envelopes = Gauge(
            "worker_mailbox_envelopes", "Envelopes that wait: in all, and in large mailboxes.", ("stat",), stats
        )
        self.mailbox_bytes = Gauge(
            "worker_mailbox_bytes", "Bytes that wait: in all, and in large mailboxes.", ("stat",), stats
        )
        self.oldest_mail = Gauge("worker_oldest_mail_seconds", "How long the oldest mail has waited.")

    def instruments(self) -> tuple[Instrument, ...]:
        """Return all metrics, in the order in which they are scraped."""
        return tuple(value for value in vars(self).values() if isinstance(value, Instrument))

    def job_done(self, job: str, outcome: str, seconds: float) -> None:
        """Count a run."""
        self.job_seconds.observe(seconds, job, outcome)
        if outcome == "ok":
            self.job_success.set(time.time(), job)
