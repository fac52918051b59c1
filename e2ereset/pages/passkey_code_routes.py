"""The page of a code for a client that knows only codes, after a proof by a passkey."""

from flask import Blueprint, Response
from marshmallow.validate import Length
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.factors.passkey_codes import PasskeyCodes
from e2ereset.factors.passkeys import CODE_SECONDS
from e2ereset.http import Text, proof
from e2ereset.languages.words import N_
from e2ereset.records import Action

from .overview import Link
from .site import Form, Site


class ActionForm(Form):
    """The name of what waits for a proof."""

    act = Text(required=True, validate=Length(max=255))


ACTION = ActionForm()


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint, where there are passkeys."""
    if not site.passkeys.on:
        return
    codes = PasskeyCodes(site.runtime, site.runtime.stepup)
    link = N_("Code by passkey, for an app")
    site.overview.links.append(Link(label=link, endpoint=".choose_code", method="passkey"))

    @blueprint.get("/code")
    def choose_code() -> Response:
        """Show what waits for a proof."""
        caller, now = site.caller(), int(site.runtime.clock())
        waiting = [(one.name, site.phrase(one)) for one in codes.waiting(caller, now)]
        return site.page("passkey_code", waiting=waiting, code="")

    @blueprint.post("/code")
    def show_code() -> AnyResponse:
        """Show the code, behind a passkey."""
        asked, act = site.asked(Action(name="show-code")), site.form(ACTION)["act"]
        with site.runtime.gates.waking():
            shown = codes.show(asked.caller, act, proof(), asked.now)
        if shown is None:
            return site.go(".choose_code")
        action, code = shown
        half = len(code) // 2
        return site.page(
            "passkey_code",
            phrase=site.phrase(action),
            code=f"{code[:half]}-{code[half:]}",
            seconds=CODE_SECONDS,
        )
