"""The way back to readable rooms: two routes of ours."""

from flask import Blueprint, Response

from e2ereset.http import Described, Gates, envelope

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
