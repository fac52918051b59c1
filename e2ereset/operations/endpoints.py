"""The three pages for operators, whoever serves them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from e2ereset.metrics.meter import Meter

from .health import Health

PATHS = ("/livez", "/readyz", "/metrics")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: status, content type, body."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Health and metrics of one app."""

    health: Health
    meter: Meter

    def page(self, path: str) -> Page | None:
        """The page of this path; None when there is none."""
        if path == "/livez":
            return _json(200, {"alive": True})
        if path == "/readyz":
            checks = self.health.checks()
            ready = all(check.ok for check in checks)
            body = {"ready": ready, "checks": [asdict(check) for check in checks]}
            return _json(200 if ready else 503, body)
        counted = self.meter.text(self.health.gauges()) if path == "/metrics" else None
        return Page(200, *counted) if counted else None


def _json(status: int, body: dict[str, Any]) -> Page:
    return Page(status, JSON, json.dumps(body).encode())
