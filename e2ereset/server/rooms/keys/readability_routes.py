"""The way back to readable rooms: two routes of ours, and a page."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from e2ereset import Action
from e2ereset.http import Described, Gates, envelope
from e2ereset.languages.words import N_
from e2ereset.pages.overview import Link
from e2ereset.pages.site import Site

from . import answers, schemas
from .readability import ASK, Readability

NOTHING = schemas.NO_QUERY


def add_routes(blueprint: Blueprint, readability: Readability, gates: Gates) -> None:
    """Put `e2e.readability` and `e2e.askForKeys` on the blueprint."""

    @blueprint.get("/e2e.readability")
    @Described(query=NOTHING, answer=answers.READABILITY)
    def show_readability() -> Response:
        """Which encrypted rooms the caller can read, which wait for a key, and which are dead."""
        with gates.asked("readability", NOTHING) as (asked, _):
            rooms = readability.rooms(asked.caller.account.id)
        return envelope.success(rooms=[room.told() for room in rooms])

    @blueprint.post("/e2e.askForKeys")
    @Described(body=schemas.NOTHING, answer=answers.ASKED)
    def ask_for_keys() -> Response:
        """Mail those who have the keys that the caller waits for, each once a day at most."""
        with gates.asked(ASK, schemas.NOTHING) as (asked, _), gates.waking():
            mailed = readability.ask(asked)
        return envelope.success(asked=mailed)


def make_page(readability: Readability, site: Site) -> Blueprint:
    """The page "Back to readable"."""
    blueprint = site.blueprint("readable", "/rooms")
    label = N_("Back to readable rooms")
    site.overview.key_links.append(Link(label=label, endpoint="readable.show_rooms"))

    @blueprint.get("/readable")
    def show_rooms() -> Response:
        """Show each encrypted room of the caller, and what can be done for it."""
        rooms = readability.rooms(site.caller().account.id)
        told = request.args.get("asked", "")
        return site.page("readable", rooms=rooms, asked=int(told) if told.isdecimal() else None)

    @blueprint.post("/readable")
    def ask_holders() -> AnyResponse:
        """Mail those who can help."""
        asked = site.asked(Action(name=ASK))
        with site.runtime.gates.waking():
            mailed = readability.ask(asked)
        return site.go(".show_rooms", asked=mailed)

    return blueprint
