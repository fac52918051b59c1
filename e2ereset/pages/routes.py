"""The blueprint of the pages, and the first of them: what one has."""

from flask import Blueprint, Flask, Response

from e2ereset.runtime import Runtime

from . import language_routes, proof_routes
from .site import EXTENSION, NAME, Site, make_site


def make_pages(app: Flask, runtime: Runtime, *, url_prefix: str) -> Blueprint:
    """The pages of the library, which the app then has as `find_site(app)`."""
    site = app.extensions[EXTENSION] = make_site(runtime)
    blueprint = site.blueprint(NAME, url_prefix)
    language_routes.add_routes(blueprint, site)
    proof_routes.add_routes(blueprint, site)
    _add_overview(blueprint, site)
    return blueprint


def _add_overview(blueprint: Blueprint, site: Site) -> None:
    @blueprint.get("/")
    def overview() -> Response:
        """My security: the factors that the caller has."""
        caller = site.caller()
        status = site.runtime.factors.status(caller.account.id)
        return site.page("security", account=caller.account, factors=status)
