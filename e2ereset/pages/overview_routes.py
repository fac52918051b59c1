"""My security: the first of the pages, with all that one has."""

from flask import Blueprint, Response, current_app, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .site import Site

SIGN_OUT = "sign_in.sign_out"
"""An endpoint that ends a sign-in by POST, which the standalone server has."""


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint."""

    if (blueprint.url_prefix or "").strip("/"):

        @blueprint.get("")
        def begin() -> AnyResponse:
            """Lead whoever leaves out the last slash; Flask would with the scheme that it sees."""
            return site.go(".overview")

    @blueprint.get("/")
    def overview() -> Response:
        """Show the caller's factors, key and language, and the way to the other pages."""
        caller = site.caller()
        account, mine = caller.account, site.overview
        status = site.runtime.factors.status(account.id)
        factors = mine.lines(caller, status)
        methods = {one.method for one in factors if one.since is not None} | {""}
        links = site.permitted(caller, mine.links)
        done = mine.done.get(request.args.get("done", ""), "")
        return site.page(
            "security",
            account=account,
            factors=factors,
            links=[one for one in links if one.method in methods],
            key_links=mine.key_links,
            key=site.runtime.vault.facts(account.id),
            held=site.held(caller),
            done=site.translate(done) if done else "",
            sign_out=url_for(SIGN_OUT) if SIGN_OUT in current_app.view_functions else "",
        )
