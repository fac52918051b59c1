"""What operators can ask for: /livez, /readyz and /metrics."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from werkzeug import Response

from e2ereset.metrics.meter import Meter

from .health import Health

PATHS = ("/livez", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Health and metrics of one app."""

    health: Health
    meter: Meter

    def answer(self, path: str) -> Response | None:
        """The answer to a GET of this path; None when there is nothing at it."""
        if path == "/livez":
            return _json(200, {"alive": True})
        if path == "/readyz":
            conditions = self.health.conditions()
            ready = all(condition.ok for condition in conditions)
            body = {"ready": ready, "checks": [asdict(condition) for condition in conditions]}
            return _json(200 if ready else 503, body)
        counts = self.meter.text(self.health.gauges()) if path == "/metrics" else None
        return _response(200, *counts) if counts else None


def _json(status: int, body: dict[str, Any]) -> Response:
    return _response(status, "application/json", json.dumps(body).encode())


def _response(status: int, content_type: str, body: bytes) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Type": content_type}
    return Response(body, status, headers)
