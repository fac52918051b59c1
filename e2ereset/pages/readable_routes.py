"""The page "Back to readable rooms", where the host knows rooms."""

from functools import partial

from flask import Blueprint, Response

from e2ereset.languages.words import N_
from e2ereset.rooms import seen_within

from .overview import Link
from .site import Site

LABEL = N_("Back to readable rooms")


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint."""
    vault = site.runtime.vault
    if not vault.knows_rooms:
        return
    site.overview.key_links.append(Link(label=LABEL, endpoint=".show_rooms"))

    @blueprint.get("/rooms")
    def show_rooms() -> Response:
        """Show each encrypted room of the caller, and whether somebody can help."""
        rooms = vault.rooms(site.caller().account.id)
        seen = partial(seen_within, now=int(site.runtime.clock()))
        return site.page("readable", rooms=rooms, seen=seen)
