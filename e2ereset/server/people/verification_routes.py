"""`users.sendConfirmationEmail`, and the page of the link that it mails."""

from flask import Blueprint, Response

from e2ereset.http import Described, Gates, envelope, origin
from e2ereset.pages.site import Site

from . import schemas
from .verification import PAGE, SEND, NoPublicAddress, Verification


def add_sending(blueprint: Blueprint, verification: Verification, gates: Gates) -> None:
    """Put `users.sendConfirmationEmail` on the blueprint."""

    @blueprint.post("/users.sendConfirmationEmail")
    @Described(body=schemas.CONFIRM, refuses=(NoPublicAddress,))
    def send_confirmation_email() -> Response:
        """Mail a link that verifies an address of one's own."""
        with gates.entered(SEND) as asked:
            body = gates.body(schemas.CONFIRM)
            gates.rate_limit()
            with gates.waking():
                verification.send(asked, body["email"])
        return envelope.success()


def make_page(verification: Verification, gates: Gates, site: Site) -> Blueprint:
    """The page of the link. The link is the proof: it is good in any browser, from any mail."""
    blueprint = Blueprint("verify_email", __name__)
    site.handle_errors(blueprint)

    def page(state: str, status: int = 200) -> Response:
        """The page, which tells its address to nobody: it has the secret of the link."""
        made = site.page("verify_email", status=status, state=state)
        made.headers["Referrer-Policy"] = "no-referrer"
        return made

    @blueprint.get(f"{PAGE}<token>")
    def show(**_token: str) -> Response:
        """A page with a button; whoever looks at it, as mail scanners do, changes nothing."""
        return page("asks")

    @blueprint.post(f"{PAGE}<token>")
    def verify(token: str) -> Response:
        """Verify the address, once."""
        gates.rate_limit()
        with gates.waking():
            done = verification.verify(token, *origin())
        return page("done") if done else page("over", 410)

    return blueprint
