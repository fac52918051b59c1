"""The way back to readable rooms: two routes of ours."""

from flask import Blueprint, Response

from e2ereset.http import Described, Gates, envelope
from e2ereset.vault.routes import add_readability

from . import answers, schemas
from .readability import ASK, Readability


def add_routes(blueprint: Blueprint, readability: Readability, gates: Gates) -> None:
    """Put `e2e.readability` and `e2e.askForKeys` on the blueprint."""
    add_readability(blueprint, readability.rooms, gates)

    @blueprint.post("/e2e.askForKeys")
    @Described(body=schemas.NOTHING, answer=answers.ASKED)
    def ask_for_keys() -> Response:
        """Mail those who have the keys that the caller waits for, each once a day at most."""
        with gates.asked(ASK, schemas.NOTHING) as (asked, _), gates.waking():
            mailed = readability.ask(asked)
        return envelope.success(asked=mailed)
