"""The page of who helped whom."""

from flask import Blueprint, Response, request

from e2ereset.languages import Words
from e2ereset.pages.history import ACTIONS, OPERATOR, told
from e2ereset.pages.site import Site
from e2ereset.server.people.directory import VIEW_ALL

from .log import HELPS, HelpLog, Wanted

LONGEST = 255


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint."""
    log = HelpLog(site.runtime)

    @blueprint.get("/log")
    def show_log() -> Response:
        """Show who helped whom, newest first."""
        wanted = Wanted(caller=_asked("caller"), target=_asked("target"), action=_asked("action"))
        before = _asked("before")
        events, older = log.page(site.caller(VIEW_ALL), wanted, before)
        return site.page(
            "console_log",
            events=events,
            older=older,
            newest=not before,
            wanted=wanted,
            actions={name: ACTIONS[name] for name in HELPS},
            told=lambda outcome: told(outcome, site.words()),
            by=lambda who: _by(who, site.words()),
        )


def _by(who: str, t: Words) -> str:
    """Who did it; of an operator also the name by which the search finds them."""
    if not who.startswith(OPERATOR):
        return who
    return t("An operator of the server (%(name)s)", name=who)


def _asked(name: str) -> str:
    text = request.args.get(name, "").strip()[:LONGEST]
    return text if text.isprintable() else ""
