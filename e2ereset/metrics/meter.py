"""The seam at which things are counted: one call where they happen, and no more."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from e2ereset.settings import Settings

Gauges = Iterable[tuple[str, str, float]]
"""(name, what it is, value) of what is measured only when somebody looks."""

log = logging.getLogger(__name__)


class Meter:
    """Counts what happens. This one counts nothing; that of `operations.metrics` does."""

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its URL rule, never its path."""

    def second_factor(self, method: str, outcome: str) -> None:
        """A proof by this method passed, or was refused with the code `outcome`."""

    def budget_refused(self, purpose: str) -> None:
        """A try was not counted, as its budget was spent."""

    def reset(self, *, own: bool, nothing_to_reset: bool) -> None:
        """A reset was committed."""

    def hashed(self, seconds: float) -> None:
        """A password was hashed, or compared with a hash."""

    def text(self, gauges: Gauges) -> tuple[str, bytes] | None:
        """(content type, page) of all counts, and these; None for a meter that counts nothing."""


UNCOUNTED = Meter()


def make_meter(settings: Settings) -> Meter:
    """One that counts, where the settings open the metrics and the extra `metrics` is installed."""
    if not settings.operations:
        return UNCOUNTED
    try:
        from .prometheus import prometheus_meter
    except ImportError:
        log.warning("/metrics is off: install e2ereset[metrics] for it.")
        return UNCOUNTED
    return prometheus_meter()
