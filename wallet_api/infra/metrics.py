"""What this process counts for Prometheus: numbers by route, status and code, never by person.

Several processes share their numbers through the folder named in PROMETHEUS_MULTIPROC_DIR, which the server's
configuration sets before anything here is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

OWN = CollectorRegistry()
"""The wallet's own numbers of this process, without those any Python process has."""

REQUESTS = Counter(
    "wallet_requests", "Answers, by route, method and status.", ("route", "method", "status"), registry=OWN
)
SECONDS = Histogram(
    "wallet_request_seconds",
    "Seconds from the first look at a request to the last byte handed over.",
    ("route", "method"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    registry=OWN,
)
IN_FLIGHT = Gauge(
    "wallet_requests_in_flight", "Requests being answered now.", registry=OWN, multiprocess_mode="livesum"
)
PROBLEMS = Counter("wallet_problems", "Refusals and failures, by their public code.", ("code",), registry=OWN)
DATABASE_FAULTS = Counter(
    "wallet_database_faults", "Requests that the database failed, by kind of fault.", ("kind",), registry=OWN
)
UNEXPECTED = Counter("wallet_unexpected_errors", "Faults of our own: each deserves a look.", registry=OWN)

Read = Callable[[], Mapping[str, Mapping[str, int]]]
"""Counts by family and state."""

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Figures:
    """Numbers that live in the database, read anew at each scrape."""

    def __init__(self, read: Read, ready: Callable[[], None]) -> None:
        self._read = read
        self._ready = ready

    def collect(self) -> Iterable[Metric]:
        """Gauges of reminders and of what is overdue, and whether the database answers at all."""
        up = GaugeMetricFamily("wallet_ready", "1 when this process can serve: its database answers.")
        families = {
            name: GaugeMetricFamily(f"wallet_{name}", says, labels=("state",))
            for name, says in (
                ("reminders", "Reminders, by state."),
                ("batches", "Batches of the outbox, by state."),
                ("pushes", "Pushes so far, by what the channel answered."),
                ("overdue", "What should have been done by now, by what it is."),
                ("plan_check", "Stored plans in the last night's check, by what was found; drift must be 0."),
            )
        }
        try:
            self._ready()
            for name, counts in self._read().items():
                for state, count in counts.items():
                    families[name].add_metric((state,), count)
        except Exception:  # whatever the reason, a scrape that says "not ready" beats none
            up.add_metric((), 0)
            return [up]
        up.add_metric((), 1)
        return [up, *families.values()]


def exposition(figures: Figures) -> bytes:
    """All numbers in Prometheus' text format 0.0.4, those of sibling processes included."""
    asked = CollectorRegistry()
    asked.register(figures)
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if shared:
        MultiProcessCollector(asked, path=shared)  # type: ignore[no-untyped-call]  # the library carries no types there
        return generate_latest(asked)
    return generate_latest(OWN) + generate_latest(asked)
