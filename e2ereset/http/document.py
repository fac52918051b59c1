"""`GET openapi.json`, and `openapi.html` for people: what this app answers, and how."""

from functools import cache
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, current_app

from . import envelope
from .gates import Gates
from .schemas import Query

NOTHING = Query()
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def add_routes(blueprint: Blueprint, gates: Gates, *, sign_in: tuple[str, ...]) -> None:
    """Put both routes on the blueprint. `sign_in`: the headers that sign a request in."""

    @cache
    def document() -> dict[str, Any]:
        """The document, which is made when it is first asked for: apispec takes its time."""
        from .openapi import make_document

        return make_document(
            current_app._get_current_object(),  # type: ignore[attr-defined]
            blueprint.url_prefix or "",
            title=gates.settings.workspace,
            version=version("e2ereset"),
            sign_in=sign_in,
            cookies=gates.settings.cookie_sign_in,
        )

    @cache
    def page() -> str:
        """The page of the document."""
        from .openapi import make_page

        return make_page(document())

    @blueprint.get("/openapi.json")
    def show_document() -> Response:
        """The document, as OpenAPI 3.1."""
        gates.query(NOTHING)
        gates.rate_limit("read")
        return envelope.answer(200, document())

    @blueprint.get("/openapi.html")
    def show_page() -> Response:
        """The same for people, without a script."""
        gates.query(NOTHING)
        gates.rate_limit("read")
        headers = {**envelope.HEADERS, "Content-Security-Policy": PAGE_POLICY}
        return Response(page(), headers=headers, mimetype="text/html")
