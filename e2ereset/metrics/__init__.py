"""Counts of requests, proofs and resets, for Prometheus or for nobody. Imports nothing above it."""

import logging

from .meter import UNCOUNTED, Meter

log = logging.getLogger(__name__)


def make_meter(wanted: bool) -> Meter:
    """A meter that counts for Prometheus; UNCOUNTED where none is `wanted`, or the extra
    `metrics` is not installed.
    """
    if not wanted:
        return UNCOUNTED
    try:
        from .prometheus import prometheus_meter
    except ImportError:
        log.warning("/metrics is off: install e2ereset[metrics] for it.")
        return UNCOUNTED
    return prometheus_meter()
