"""One request at a time, through nginx, from an address of the client's own."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from .outages import BROKEN, BUSY

PATIENCE = 60  # seconds
API = "/api/v1/"
BUSY_SECONDS = "1"
DIGEST_LENGTH = 64  # of a password, in hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `kind` is the status with the refusal's code, or BROKEN when nothing did."""

    kind: str
    body: dict[str, Any]
    start: float
    end: float


class Line:
    """Sends requests to nginx on this port from this address."""

    def __init__(self, port: int, address: str) -> None:
        self.address, self._port = address, port

    def post(
        self, route: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """POST this object as JSON, or nothing."""
        return self._send("POST", route, headers, body)

    def get(self, route: str, headers: Mapping[str, str]) -> Answer:
        """GET it."""
        return self._send("GET", route, headers, None)

    def _send(
        self, method: str, route: str, headers: Mapping[str, str] | None, body: Any
    ) -> Answer:
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        start = time.time()
        try:
            kind, found = self._exchange(method, route, sent, body)
        except (OSError, http.client.HTTPException):
            kind, found = BROKEN, {}
        return Answer(kind=kind, body=found, start=start, end=time.time())

    def _exchange(
        self, method: str, route: str, headers: dict[str, str], body: Any
    ) -> tuple[str, dict[str, Any]]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=PATIENCE, source_address=(self.address, 0)
        )
        with closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, API + route, text, headers)
            response = connection.getresponse()
            raw = response.read()
        status = response.status
        if response.headers.get_content_type() != "application/json":
            return str(status), {}  # nginx's own
        found: dict[str, Any] = json.loads(raw)
        if status == 503:
            wait = response.headers.get("Retry-After")
            if found.get("success") is not False or wait is None:
                return "503 outside of the envelope", found
            return (BUSY if wait == BUSY_SECONDS and _hashes(route, headers) else "503"), found
        code = found.get("errorType") or (found.get("error") if status != 429 else None)
        return (str(status) if status in (200, 429) else f"{status} {code}"), found


def _hashes(route: str, headers: Mapping[str, str]) -> bool:
    """Whether the server compares a password: at each sign-in, and where it is the proof."""
    return route == "login" or len(headers.get("x-2fa-code", "")) == DIGEST_LENGTH
