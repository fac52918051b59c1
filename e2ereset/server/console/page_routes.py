"""The blueprint of the console."""

from flask import Blueprint

from e2ereset.languages.words import N_
from e2ereset.pages.overview import Link
from e2ereset.pages.site import Site
from e2ereset.server.people.directory import VIEW_ALL
from e2ereset.server.roles.service import ACCESS

from . import log_routes, people_routes, reset_routes, rights_routes, roles_routes
from .people import ANY, Helping

LINKS = (
    (N_("Help other people"), "list_people", ANY),
    (N_("Who helped whom"), "show_log", (VIEW_ALL,)),
    (N_("Roles and permissions"), "list_permissions", (ACCESS,)),
)
"""What My security leads to: label, endpoint, and the permissions of which one needs one."""


def make_pages(site: Site) -> Blueprint:
    """The pages of helping others."""
    blueprint, helping = site.blueprint("console", "/admin"), Helping(site.runtime)
    people_routes.add_routes(blueprint, site, helping)
    reset_routes.add_routes(blueprint, site, helping)
    log_routes.add_routes(blueprint, site)
    rights_routes.add_routes(blueprint, site)
    roles_routes.add_routes(blueprint, site, helping)
    for label, endpoint, permissions in LINKS:
        link = Link(label=label, endpoint=f"console.{endpoint}", permissions=permissions)
        site.overview.links.append(link)
    return blueprint
