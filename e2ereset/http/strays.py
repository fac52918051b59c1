"""Answers requests below our prefix that match no route: redirects, 404, 405, OPTIONS.

All are answered in the envelope, and none is redirected: a client that follows would send its token
and its code again, and without TLS if Flask does not know that the proxy speaks TLS.
"""

from functools import partial
from urllib.parse import unquote, urlsplit

from flask import Flask, Response, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from . import bodies, envelope
from .cross_site import CrossSite

OURS = "e2ereset.blueprints"
"""The key, in `app.extensions`, of the names of our blueprints, but for those of pages."""


def note_blueprint(limit: int, setup: BlueprintSetupState, *, enveloped: bool) -> None:
    """Read this blueprint's bodies first, up to `limit` bytes; remember it as `enveloped`."""
    name = f"{setup.name_prefix}.{setup.name}".lstrip(".")
    ours = setup.app.extensions.setdefault(OURS, set())
    if enveloped:
        ours.add(name)
    bodies.read_first(setup.app, name, limit)


def answer_strays(app: Flask, prefix: str, cross_site: CrossSite) -> None:
    """Answer requests that match no route, but are below the prefix or close to a route of ours.

    The host answers all others as before.
    """
    app.before_request(partial(_answer, app, f"{prefix.rstrip('/')}/", cross_site))


def _answer(app: Flask, prefix: str, cross_site: CrossSite) -> Response | None:
    fault = request.routing_exception
    if fault is None or not _is_ours(app, prefix, fault):
        return None
    if isinstance(fault, RequestRedirect):
        fault = NotFound()
    return cross_site.allow_origin(cross_site.preflight() or envelope.http_failure(fault))


def _is_ours(app: Flask, prefix: str, fault: HTTPException) -> bool:
    if isinstance(fault, RequestRedirect):
        path = unquote(urlsplit(fault.new_url).path).removeprefix(request.root_path)
        return _leads_to_us(app, f"/{path.lstrip('/')}", request.method)
    if isinstance(fault, MethodNotAllowed):
        methods = fault.valid_methods or ()
        return any(_leads_to_us(app, request.path, method) for method in methods)
    return prefix != "/" and f"{request.path}/".startswith(prefix)


def _leads_to_us(app: Flask, path: str, method: str) -> bool:
    adapter = app.create_url_adapter(request)
    try:
        endpoint, _ = adapter.match(path, method) if adapter else ("", {})
    except HTTPException:
        return False
    return endpoint.rpartition(".")[0] in app.extensions[OURS]
