"""The pages of one's own account: another password, and the addresses."""

from typing import Any

from flask import Blueprint, Response
from marshmallow.validate import Length
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import InvalidParams
from e2ereset.http import Text
from e2ereset.languages.words import N_
from e2ereset.pages.overview import Link
from e2ereset.pages.site import Form, Site
from e2ereset.records import Action

from . import address_routes
from .own_account import UPDATE, OwnAccount
from .refusals import PasswordPolicy
from .verification import Verification

CHANGED = "password"


class NewPasswordForm(Form):
    """The new password, typed twice."""

    new = Text(required=True, validate=Length(min=1, max=1000))
    again = Text(required=True)

    def load_form(self, form: Any) -> Any:
        """As `Form.load_form`, but spaces around a password count."""
        super().load_form(form)
        return {name: form[name] for name in self.fields}


NEW_PASSWORD = NewPasswordForm()


def make_pages(own: OwnAccount, verification: Verification, site: Site) -> Blueprint:
    """The pages, and their links on My security."""
    blueprint, shortest = site.blueprint("own_account", "/account"), own.passwords.shortest
    link = Link(label=N_("Change my password"), endpoint="own_account.ask_for_password")
    site.overview.links.append(link)
    address_routes.add_routes(blueprint, verification, site)
    site.overview.done[CHANGED] = N_("Your password is changed. Your other sign-ins have ended.")

    def ask(error: str = "", field: str = "") -> Response:
        """The page; what was typed is not kept."""
        status = 400 if error else 200
        name = site.caller().account.username
        facts = {"username": name, "shortest": shortest, "error": error, "field": field}
        return site.page("password", status=status, **facts)

    @blueprint.get("/password")
    def ask_for_password() -> Response:
        """Ask for the new password."""
        return ask()

    @blueprint.post("/password")
    def change_password() -> AnyResponse:
        """Change it, behind a second factor: the old password, for who has no other."""
        asked, t = site.asked(Action(name=UPDATE)), site.translate
        try:
            form = site.form(NEW_PASSWORD)
        except InvalidParams:
            return ask(t("Type the new password twice."), "new")
        if form["new"] != form["again"]:
            return ask(t("The two are not the same. Type the new password twice."), "new")
        try:
            with site.runtime.gates.waking():
                own.update(asked, {"newPassword": form["new"]})
        except PasswordPolicy as refusal:
            return ask(t(refusal.plain), "new")
        return site.go("e2ereset_pages.overview", done=CHANGED)

    return blueprint
