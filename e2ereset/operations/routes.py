"""/livez, /readyz and /metrics on the app itself, behind a token; and the count of requests."""

import hmac
import time
from functools import partial

from flask import Flask, g, request
from flask import Response as FlaskResponse
from werkzeug import Response
from werkzeug.exceptions import NotFound

from e2ereset.metrics.meter import UNCOUNTED, Meter
from e2ereset.records import Receipt
from e2ereset.runtime import Runtime
from e2ereset.signals import key_reset

from .endpoints import PATHS, Operations
from .health import Health

EXTENSION = "e2ereset.operations"
NO_ROUTE = "none"


def watch(app: Flask, runtime: Runtime, name: str) -> None:
    """Add the routes where a token is set, and count requests where there is a meter."""
    settings, meter = runtime.settings, runtime.meter
    threads = runtime.background if settings.delivery == "thread" else ()
    health = Health(runtime.transactions, clock=runtime.clock, threads=threads)
    operations = app.extensions[EXTENSION] = Operations(health=health, meter=meter)
    if settings.operations_token:
        blueprint = runtime.gates.blueprint(f"{name}_operations")
        for path in PATHS:
            view = partial(_show, operations, path, settings.operations_token)
            blueprint.add_url_rule(path, path[1:], view, methods=["GET"])
        app.register_blueprint(blueprint)
    if meter is not UNCOUNTED:
        _count(app, meter)


def operations_of(app: Flask) -> Operations:
    """The health and metrics of this app."""
    operations: Operations = app.extensions[EXTENSION]
    return operations


def _show(operations: Operations, path: str, token: str) -> Response:
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    may = path == "/livez" or hmac.compare_digest(given, f"Bearer {token}".encode())
    answer = operations.answer(path) if may else None
    if answer is None:
        raise NotFound
    return answer


def _count(app: Flask, meter: Meter) -> None:
    @app.before_request
    def begin() -> None:
        """Note the time, by a clock that nobody can set."""
        g.e2ereset_began = time.perf_counter()

    @app.after_request
    def end(response: FlaskResponse) -> FlaskResponse:
        """Count by URL rule: clients can make up any path."""
        route = request.url_rule.rule if request.url_rule else NO_ROUTE
        now = time.perf_counter()
        # `begin` has not run where a hook of the host answered first.
        meter.request(route, response.status_code, now - g.pop("e2ereset_began", now))
        return response

    def reset(_sender: object, receipt: Receipt) -> None:
        """Count what was committed."""
        own = receipt.caller.id == receipt.target.id
        meter.reset(own=own, nothing_to_reset=receipt.nothing_to_reset)

    key_reset.connect(reset, sender=app, weak=False)
