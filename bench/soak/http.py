"""One request at a time, through nginx, from an address of the client's own."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kit import client

from .outages import BROKEN, BUSY

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
        self.address, self._client = address, client.Client(port, address)

    def post(
        self, route: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """POST this object as JSON, or nothing."""
        return self._send("POST", route, headers or {}, body)

    def get(self, route: str, headers: Mapping[str, str]) -> Answer:
        """GET it."""
        return self._send("GET", route, headers, None)

    def _send(self, method: str, route: str, headers: Mapping[str, str], body: Any) -> Answer:
        start = time.time()
        try:
            answer = self._client.call(method, client.API + route, headers, body)
        except (OSError, http.client.HTTPException):
            return Answer(kind=BROKEN, body={}, start=start, end=time.time())
        hashes = route == "login" or len(headers.get("x-2fa-code", "")) == DIGEST_LENGTH
        return Answer(
            kind=_kind(answer, hashes), body=answer.body or {}, start=start, end=answer.end
        )


def _kind(answer: client.Answer, hashes: bool) -> str:
    """`hashes` says whether a password is compared: at a sign-in, and where it is the proof."""
    status, body = answer.status, answer.body
    if body is None:  # nginx's own
        return str(status)
    if status == 503:
        wait = answer.headers.get("Retry-After")
        if body.get("success") is not False or wait is None:
            return "503 outside of the envelope"
        return BUSY if wait == BUSY_SECONDS and hashes else "503"
    if status in (200, 429):
        return str(status)
    return f"{status} {body.get('errorType') or body.get('error')}"
