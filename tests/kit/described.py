"""Holds each answer of a server under test to what its route tells about itself."""

from flask import current_app, request

from e2ereset.http.described import description_of
from e2ereset.http.envelope import status_of
from e2ereset.http.refusals import COMMON, refusals_of

NOT_THE_ROUTES = {404, 405, *COMMON}
"""Statuses of answers that no route gives by itself."""


def hold(app):
    """Fail a request whose answer is not described; the app."""
    app.after_request(compare)
    return app


def compare(response):
    """The answer itself, where its route tells about it, or tells nothing at all."""
    view = current_app.view_functions.get(request.endpoint)
    told = description_of(view) if view else None
    if told and response.status_code not in NOT_THE_ROUTES:
        fault = _fault(told, response)
        assert not fault, f"{request.method} {request.path} {response.data!r}: {fault}"
    return response


def _fault(told, response):
    status, body = response.status_code, response.json
    if status == 200:
        return told.answer.validate(body)
    if status in told.failures:
        return told.failures[status].validate(body)
    refusals = refusals_of(told, changes=request.method != "GET")
    codes = {kind.code if kind.typed else None for kind in refusals if status_of(kind) == status}
    return "" if body.get("errorType") in codes else f"not one of {codes}"
