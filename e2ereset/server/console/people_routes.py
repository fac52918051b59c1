"""The pages of whom one may help: the search, one person, and unlocking."""

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from e2ereset import Account
from e2ereset.factors.enrolment import UNLOCK
from e2ereset.http import proof
from e2ereset.pages.site import Site
from e2ereset.records import Action, Caller, TargetName

from .people import Helping

LONGEST = 255
"""Characters of a search that are read."""
DONE = "unlocked"


def add_routes(blueprint: Blueprint, site: Site, helping: Helping) -> None:
    """Put the pages on the blueprint."""

    @blueprint.get("/people")
    def list_people() -> Response:
        """List whom the caller may help."""
        caller = site.caller()
        text, after = (request.args.get(name, "")[:LONGEST] for name in ("q", "after"))
        if not (text + after).isprintable():
            text = after = ""
        people, following = helping.search(caller, text.strip(), after)
        return site.page(
            "console_people", people=people, following=following, text=text, first=not after
        )

    @blueprint.get("/people/<user_id>")
    def show_person(user_id: str) -> Response:
        """Show what a reset of this person's key costs, and the state of their factors."""
        caller = site.caller()
        target = found(helping, caller, user_id)
        done = site.translate("The factors are unlocked.") if "done" in request.args else ""
        state = helping.state(caller, target, int(site.runtime.clock()))
        return site.page("console_person", state=state, done=done)

    @blueprint.post("/people/<user_id>/unlock")
    def unlock_person(user_id: str) -> AnyResponse:
        """Unlock the factors of this person, behind the caller's own."""
        asked = site.asked(Action(name=UNLOCK))
        named = TargetName(user_id=found(helping, asked.caller, user_id).id)
        with site.runtime.gates.waking():
            site.runtime.unlocks.unlock(asked.caller, named, proof(), asked.now)
        return site.go(".show_person", user_id=user_id, done=DONE)


def found(helping: Helping, caller: Caller, user_id: str) -> Account:
    """The account that the caller may help. Raises NotFound, also for somebody of higher rank."""
    target = helping.find(caller, user_id) if user_id.isprintable() else None
    if target is None:
        raise NotFound()
    return target
