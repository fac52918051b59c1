"""The blueprint of the console."""

from flask import Blueprint

from e2ereset.languages.words import N_
from e2ereset.pages.overview import Link
from e2ereset.pages.site import Site
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE

from . import people_routes, reset_routes
from .people import Helping


def make_pages(site: Site) -> Blueprint:
    """The pages of helping others."""
    blueprint, helping = site.blueprint("console", "/admin"), Helping(site.runtime)
    people_routes.add_routes(blueprint, site, helping)
    reset_routes.add_routes(blueprint, site, helping)
    link = Link(
        label=N_("Help other people"),
        endpoint="console.list_people",
        permission=EDIT_OTHER_USER_E2EE,
    )
    site.overview.links.append(link)
    return blueprint
