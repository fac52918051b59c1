"""The page of one's e-mail addresses, where one has the link mailed that verifies one."""

from flask import Blueprint, Response, request
from marshmallow.validate import Length
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.http import Text
from e2ereset.languages.words import N_
from e2ereset.pages.overview import Link
from e2ereset.pages.site import Form, Site
from e2ereset.records import Action

from .service import addresses_of
from .verification import SEND, Verification

MAILED = N_("A link is on its way, unless one was mailed a moment ago. It can take a minute.")


class AddressForm(Form):
    """An address of the sender's own."""

    email = Text(required=True, validate=Length(max=320))


ADDRESS = AddressForm()
LINK = Link(label=N_("My e-mail addresses"), endpoint="own_account.show_addresses")


def add_routes(blueprint: Blueprint, verification: Verification, site: Site) -> None:
    """Put the page on the blueprint, and its link on My security."""
    site.overview.links.append(LINK)
    runtime = site.runtime

    @blueprint.get("/addresses")
    def show_addresses() -> Response:
        """List the caller's addresses, and whether each is verified."""
        account = site.caller().account
        with runtime.transactions.look_up() as session:
            addresses = addresses_of(session, account.id)
        return site.page(
            "addresses",
            addresses=addresses,
            mails=bool(verification.public_url),
            done=site.translate(MAILED) if "mailed" in request.args else "",
        )

    @blueprint.post("/addresses")
    def mail_link() -> AnyResponse:
        """Mail the link that verifies an address of the caller's."""
        asked = site.asked(Action(name=SEND))
        with runtime.gates.waking():
            verification.send(asked, site.form(ADDRESS)["email"])
        return site.go(".show_addresses", mailed=1)
