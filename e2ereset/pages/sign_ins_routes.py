"""The page of one's sign-ins and personal tokens."""

from flask import Blueprint, Response, request
from marshmallow.validate import Length
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.http import Text
from e2ereset.languages.words import N_
from e2ereset.records import Action

from .overview import Link
from .sign_ins import END, END_OTHERS, SignIns
from .site import Form, Site, page_number

PAGE = 50
"""How many sign-ins and tokens a page lists: those of programs can be very many."""


class KeyForm(Form):
    """The key of a sign-in, as the page has it."""

    key = Text(required=True, validate=Length(max=200))


KEY = KeyForm()


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint, where the host lists sign-ins or ends all but one."""
    sign_ins = SignIns(site.runtime)
    if not (sign_ins.lists or sign_ins.ends_others):
        return
    site.overview.links.append(Link(label=N_("Sign-ins and tokens"), endpoint=".show_sign_ins"))

    @blueprint.get("/sign-ins")
    def show_sign_ins() -> Response:
        """List the caller's sign-ins and personal tokens."""
        owned = sign_ins.owned(site.caller(), int(site.runtime.clock()))
        number = page_number()
        shown = owned[(number - 1) * PAGE : number * PAGE]
        return site.page(
            "sign_ins",
            sign_ins=[one for one in shown if not one.facts.name],
            tokens=[one for one in shown if one.facts.name],
            others=any(not (one.is_this or one.facts.name) for one in owned),
            number=number,
            following=number * PAGE < len(owned),
            lists=sign_ins.lists,
            ends_others=sign_ins.ends_others,
            done=site.translate("It has ended.") if "done" in request.args else "",
        )

    @blueprint.post("/sign-ins/end")
    def end_sign_in() -> AnyResponse:
        """End one."""
        asked = site.asked(Action(name=END))
        with site.runtime.gates.waking():
            sign_ins.end(asked, site.form(KEY)["key"])
        return site.go(".show_sign_ins", done=1)

    @blueprint.post("/sign-ins/end-others")
    def end_other_sign_ins() -> AnyResponse:
        """End all but the one in use; personal tokens stay."""
        asked = site.asked(Action(name=END_OTHERS))
        with site.runtime.gates.waking():
            sign_ins.end_others(asked)
        return site.go(".show_sign_ins", done=1)
