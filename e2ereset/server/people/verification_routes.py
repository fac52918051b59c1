"""`users.sendConfirmationEmail`, and the page of the link that it mails."""

from flask import Blueprint, Response

from e2ereset.http import Described, Gates, envelope, origin

from . import schemas
from .verification import PAGE, SEND, NoPublicAddress, Verification

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
BUTTON = '<form method="post"><button>Verify my e-mail address</button></form>'
DONE = "<p>Your e-mail address is verified.</p>"
OVER = "<p>This link is not good any more. Ask for another one.</p>"


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


def make_page(verification: Verification, gates: Gates) -> Blueprint:
    """The page of the link."""
    blueprint = Blueprint("verify_email", __name__)

    @blueprint.get(f"{PAGE}<token>")
    def show(**_token: str) -> Response:
        """A page with a button; whoever looks at it, as mail scanners do, changes nothing."""
        return _page(200, BUTTON)

    @blueprint.post(f"{PAGE}<token>")
    def verify(token: str) -> Response:
        """Verify the address, once."""
        gates.rate_limit()
        with gates.waking():
            done = verification.verify(token, *origin())
        return _page(200, DONE) if done else _page(410, OVER)

    return blueprint


def _page(status: int, body: str) -> Response:
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Verify your e-mail address</title></head><body>{body}</body></html>"
    )
    return Response(text, status=status, headers=HEADERS, content_type="text/html; charset=utf-8")
