"""One log line for each request, and the id that ties all lines of a request together."""

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request

from e2ereset import Caller
from e2ereset.http import caller_address

from .logs import FACTS

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADER = "X-Request-Id"

log = logging.getLogger(__name__)


def note_caller(caller: Caller | None) -> Caller | None:
    """The same caller; the log line of this request names its account id."""
    if caller:
        g.account_id = caller.account.id
    return caller


def log_requests(app: Flask, *, trust_id: bool) -> None:
    """Log one line for each request of this app, and give the request an id.

    The id is in the answer and in all log lines of the request. With `trust_id` it is the one that
    a proxy sent, where that is well-formed.
    """

    @app.before_request
    def begin() -> None:
        """Choose the id, and note the time."""
        sent = request.headers.get(HEADER, "") if trust_id else ""
        request_id = sent if ID.fullmatch(sent) else secrets.token_hex(8)
        FACTS.set({"request_id": request_id})
        g.request_id, g.began = request_id, time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        """Echo the id, and write the line."""
        response.headers[HEADER] = g.request_id
        if log.isEnabledFor(logging.INFO):
            log.info("Answered", extra={"facts": _facts(response)})
        return response

    @app.teardown_request
    def forget(_error: BaseException | None) -> None:
        """What this thread logs next belongs to no request."""
        FACTS.set(None)


def _facts(response: Response) -> dict[str, object]:
    return {
        "method": request.method,
        # Never the path, which may hold secrets.
        "route": request.url_rule.rule if request.url_rule else None,
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.began) * 1000, 1),
        "account": g.get("account_id"),
        "address": caller_address(),
    }
