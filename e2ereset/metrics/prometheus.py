"""The counts as Prometheus reads them; needs the extra `metrics`.

With PROMETHEUS_MULTIPROC_DIR set, as `gunicorn.conf.py` does, each worker counts in files of its
own, and whichever worker is asked adds up those of all.
"""

import os
from collections.abc import Iterator
from functools import cache, partial

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from .meter import Gauges, Meter

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
HASHES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def prometheus_meter() -> "PrometheusMeter":
    """A meter for this app, or the one of this process where workers count in files.

    There, two meters would write over each other.
    """
    return _shared() if "PROMETHEUS_MULTIPROC_DIR" in os.environ else PrometheusMeter()


class PrometheusMeter(Meter):
    """Counts into a registry of its own."""

    def __init__(self) -> None:
        own = self._own = CollectorRegistry()
        count, measure = partial(Counter, registry=own), partial(Histogram, registry=own)
        self._requests = count("e2ereset_requests", "Answered requests.", ["route", "status"])
        self._latency = measure(
            "e2ereset_request_seconds", "Time from routing to answer.", ["route"], buckets=LATENCIES
        )
        self._proofs = count("e2ereset_second_factor", "Proofs.", ["method", "outcome"])
        self._refused = count("e2ereset_budget_refusals", "Tries refused uncounted.", ["purpose"])
        self._resets = count("e2ereset_resets", "Committed resets.", ["target", "outcome"])
        self._hashes = measure("e2ereset_password_hash_seconds", "Time of a hash.", buckets=HASHES)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count it by route and status, and its time by route."""
        self._requests.labels(route, status).inc()
        self._latency.labels(route).observe(seconds)

    def second_factor(self, method: str, outcome: str) -> None:
        """Count it by both."""
        self._proofs.labels(method, outcome).inc()

    def budget_refused(self, purpose: str) -> None:
        """Count it by purpose, such as `verify:totp`."""
        self._refused.labels(purpose).inc()

    def reset(self, *, own: bool, nothing_to_reset: bool) -> None:
        """Count it by both."""
        outcome = "nothing-to-reset" if nothing_to_reset else "reset"
        self._resets.labels("own" if own else "other", outcome).inc()

    def hashed(self, seconds: float) -> None:
        """Put its time into the histogram."""
        self._hashes.observe(seconds)

    def text(self, gauges: Gauges) -> tuple[str, bytes]:
        """The page in Prometheus' text format, with the counts of all workers."""
        registry = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(self._own)
        registry.register(_Measured(gauges))
        return CONTENT_TYPE_LATEST, generate_latest(registry)


_shared = cache(PrometheusMeter)


class _Measured:
    """A collector of what was measured just now."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge each."""
        for name, words, value in self._gauges:
            yield GaugeMetricFamily(name, words, value=value)
