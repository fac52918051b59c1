"""The answers on the wire. This is the only module that knows status numbers.

Bodies and their key order are Rocket.Chat's, to the byte (SPEC 1).
"""

import json
import logging
import sqlite3
import traceback
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, request
from sqlalchemy.exc import SQLAlchemyError, StatementError, TimeoutError
from werkzeug.exceptions import HTTPException

from e2ereset.errors import (
    Busy,
    CrossSite,
    Forbidden,
    MissingPermission,
    NotSignedIn,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from e2ereset.outages import outage
from e2ereset.records import IN_PLACE_OF

RETRY_SECONDS = 5
STATUS: dict[type[Refusal], int] = {
    NotSignedIn: 401,
    CrossSite: 403,
    Forbidden: 403,
    MissingPermission: 403,
    TooManyRequests: 429,
}
"""The refusals, with those built on them, that are not 400."""
HEADERS = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer of ours: no cache keeps it, and no browser takes it for anything else."""

HTTP_WORDS = {
    404: "Resource not found",
    405: "Method not allowed",
    413: "The request body is too large",
}

FAULTS = (Unavailable, StatementError, TimeoutError)
"""Errors of a part that fails. Not every SQLAlchemy error: a host's `one()` without rows is not."""

log = logging.getLogger(__name__)


def answer(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer that no cache keeps. `Content-Type` is exactly `application/json`."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(
        text.encode("utf-8", "replace"),
        status=status,
        headers={**HEADERS, **(headers or {})},
        content_type="application/json",
    )


def success(**fields: Any) -> Response:
    """200 with the fields, and `success` last."""
    return answer(200, {**fields, "success": True})


def failed(refusal: Refusal, **fields: Any) -> Response:
    """400 with the fields, which tell of the refusal, and `success` last."""
    return answer(400, {**fields, "success": False}, _retry(refusal))


def failure(refusal: Refusal) -> Response:
    """The answer to a refusal."""
    if isinstance(refusal, NotSignedIn):
        words = refusal.reason
        return answer(401, {"success": False, "error": words, "status": "error", "message": words})
    body: dict[str, Any] = {"success": False, "error": str(refusal)}
    if refusal.typed:
        body["errorType"] = refusal.code
    if refusal.details:
        body["details"] = _details(refusal)
    return answer(status_of(type(refusal)), body, _retry(refusal))


def _details(refusal: Refusal) -> Mapping[str, Any]:
    """The details. Who has not named the method is told a name that every client knows."""
    details, method = refusal.details, refusal.details.get("method")
    if method not in IN_PLACE_OF or request.headers.get("x-2fa-method") == method:
        return details
    return {**details, "method": IN_PLACE_OF[method]}


def status_of(kind: type[Refusal]) -> int:
    """The status number of a kind of refusals."""
    return next((STATUS[base] for base in kind.__mro__ if base in STATUS), 400)


def login_failure(refusal: Refusal) -> Response:
    """The answer to a refused sign-in: 401, or 429 for a spent request rate."""
    if isinstance(refusal, TooManyRequests):
        return failure(refusal)
    body: dict[str, Any] = {"success": False, "error": refusal.code, "status": "error"}
    if refusal.details:
        body["details"] = _details(refusal)
    return answer(401, {**body, "message": refusal.words}, _retry(refusal))


def unavailable(retry_after: int = RETRY_SECONDS) -> Response:
    """503: a part that we need fails; nothing was done."""
    body = {"success": False, "error": "Service Unavailable"}
    return answer(503, body, {"Retry-After": str(retry_after)})


def handle_errors(scaffold: Flask | Blueprint) -> None:
    """Answer refusals and faults of these views in the envelope.

    Flask treats any other error as usual: a handler of the host, its debugger or its tests get it,
    or Flask logs it and `http_failure` answers.
    """
    scaffold.register_error_handler(Refusal, failure)
    for fault in FAULTS:
        scaffold.register_error_handler(fault, faulty)
    scaffold.register_error_handler(HTTPException, http_failure)


def faulty(fault: Exception) -> Response:
    """503 for a fault, and a log line: what to do about an outage, or the traceback of a bug."""
    if isinstance(fault, Busy):  # one short line, as there may be thousands
        log.warning("Answered 503: %s", fault)
        return unavailable(fault.retry_after)
    gone = outage(fault)
    if gone:
        log.error("Answered 503: %s", gone)
        return unavailable()
    where = "".join(traceback.format_tb(fault.__traceback__))
    # Without the text of a database error, which quotes statements and values.
    words = "" if isinstance(fault, SQLAlchemyError | sqlite3.Error) else f": {fault}"
    log.error("Answered 503 for %s%s\n%s", type(fault).__name__, words, where)
    return unavailable()


def http_failure(error: HTTPException) -> Response:
    """The answer to an error of werkzeug or of a hook of the host, with its own text."""
    status = error.code or 500
    if status >= 500:
        return unavailable()
    words = HTTP_WORDS.get(status, error.description or error.name)
    headers = {k: v for k, v in error.get_headers() if k != "Content-Type"}
    return answer(status, {"success": False, "error": words}, headers)


def _retry(refusal: Refusal) -> dict[str, str]:
    wait = getattr(refusal, "retry_after", None)
    return {} if wait is None else {"Retry-After": str(wait)}
