"""Reset my key, in four steps: what is lost, what may spare it, the proof, what comes next."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import InvalidParams, ResetHeld
from e2ereset.http import Text, proof
from e2ereset.languages.words import N_
from e2ereset.records import Action, Caller
from e2ereset.reset.plan import Plan, PlanChanged
from e2ereset.reset.schemas import DIGEST
from e2ereset.reset.service import ACTION

from .history import proven_by
from .overview import Link
from .site import Form, Site

CHANGED = N_("What the reset would lose has changed since you looked at it. This is how it is now.")
HELD = N_("Your key was not reset: resets of it are held.")


class ResetForm(Form):
    """The digest of the plan that its sender was shown."""

    plan = Text(required=True, validate=DIGEST)


RESET = ResetForm()


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the pages on the blueprint."""
    gates, resets = site.runtime.gates, site.runtime.resets
    site.overview.key_links.append(Link(label=N_("Reset my key"), endpoint=".show_losses"))

    def losses(error: str = "", status: int = 200) -> Response:
        """The first step."""
        caller = site.caller()
        return site.page(
            "reset_losses",
            status=status,
            plan=_plan(site, caller),
            ends=resets.ends_sign_ins,
            held=site.held(caller),
            error=error,
        )

    @blueprint.get("/reset")
    def show_losses() -> Response:
        """Step 1: what the caller would lose."""
        return losses()

    @blueprint.get("/reset/before")
    def show_ways_out() -> AnyResponse:
        """Step 2: what may spare the caller the loss. In a hold there is none after the first."""
        caller = site.caller()
        if site.held(caller):
            return site.go(".show_losses")
        return site.page("reset_before", plan=_plan(site, caller))

    @blueprint.post("/reset")
    def reset() -> Response:
        """Step 3 is the page of the proof, to which this leads; step 4 is its answer.

        It is shown once, as the reset ends the sign-in of who reads it.
        """
        asked = site.asked(Action(name=ACTION))
        try:
            digest = site.form(RESET)["plan"]
            with gates.waking():
                done = resets.reset_key(asked.caller, None, proof(), asked.now, plan=digest)
        except (PlanChanged, InvalidParams):
            return losses(site.translate(CHANGED), 400)
        except ResetHeld:
            return losses(site.translate(HELD), 400)
        return site.page(
            "reset_done",
            receipt=done,
            proof=proven_by(done.method, site.words()),
            lost=resets.ends_sign_ins,
            readable=_readable(site),
        )


def _plan(site: Site, caller: Caller) -> Plan:
    """The plan of the caller's own reset."""
    return site.runtime.resets.preview(caller, None, int(site.runtime.clock()))


def _readable(site: Site) -> str:
    """The endpoint of the page of the rooms that can be read again; empty: there is none."""
    if "readable" in site.names:
        return "readable.show_rooms"
    return ".show_rooms" if site.runtime.vault.knows_rooms else ""
