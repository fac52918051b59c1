"""It was not me: the page that ends one's sign-ins and holds resets of one's key."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import NoFactor, NotAllowed
from e2ereset.http import proof
from e2ereset.languages.words import N_
from e2ereset.ports import HoldsSessions
from e2ereset.records import Action
from e2ereset.reset.holds import HOLD, LIFT, TOO_YOUNG

from .overview import Link
from .site import Site


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint."""
    gates, holds = site.runtime.gates, site.runtime.resets.holds
    ends = isinstance(site.runtime.accounts, HoldsSessions)
    site.overview.links.append(Link(label=N_("It was not me"), endpoint=".ask_not_me"))
    site.overview.done["hold-lifted"] = N_("Resets of your key are not held any more.")

    @blueprint.get("/not-me")
    def ask_not_me() -> Response:
        """Say what it does, before it is done."""
        return site.page("not_me", ends=ends, held=site.held(site.caller()))

    @blueprint.post("/not-me")
    def say_not_me() -> Response:
        """Do it. The answer is shown once, as it ends the sign-in of who reads it."""
        asked = site.asked(Action(name=HOLD))
        with gates.waking():
            until = holds.hold(asked.caller, asked.now)
        return site.page("not_me_done", ends=ends, until=until)

    @blueprint.post("/not-me/lift")
    def lift_hold() -> AnyResponse:
        """Lift the hold, behind a factor that is older."""
        asked = site.asked(Action(name=LIFT))
        try:
            with gates.waking():
                holds.lift(asked.caller, proof(), asked.now)
        except NoFactor:
            raise NotAllowed(TOO_YOUNG) from None
        return site.go(".overview", done="hold-lifted")
