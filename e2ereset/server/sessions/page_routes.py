"""The pages to sign in and out: the sign-in of pages is a cookie, that of the API never is."""

from collections.abc import Mapping

from flask import Blueprint, Response, request, url_for
from marshmallow.validate import Length
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import InvalidParams, Refusal, TooManyRequests
from e2ereset.http import Text, origin, proof
from e2ereset.languages.words import N_
from e2ereset.pages.cookies import set_cookie
from e2ereset.pages.flow import PROVABLE
from e2ereset.pages.refused import told
from e2ereset.pages.site import Form, Site
from e2ereset.server.people.password_hashing import PasswordHasher

from .schemas import Credentials
from .service import Sessions, SignedIn

COOKIE = "e2ereset_sign_in"
HOME = "e2ereset_pages.overview"
OUT = N_("You are signed out.")
LOST = N_(
    "You are not signed in any more, so what was sent just now was not done. Sign in, and look"
    " first whether it was done before."
)


class SignInForm(Form):
    """A name or a verified address, and the password."""

    name = Text(required=True, validate=Length(min=1, max=320))
    password = Text(required=True, validate=Length(min=1, max=1000))
    next = Text(load_default="")

    def load_form(self, form: Mapping[str, str]) -> dict[str, str]:
        """As `Form.load_form`, but for the password, whose spaces count."""
        loaded: dict[str, str] = super().load_form(form)
        return loaded | {"password": form["password"]}


SIGN_IN = SignInForm()


def make_pages(sessions: Sessions, site: Site) -> Blueprint:
    """The pages of signing in and out."""
    blueprint = site.blueprint("sign_in", "")

    @blueprint.get("/sign-in")
    def sign_in() -> Response:
        """Ask for name and password."""
        asked, t = request.args, site.translate
        return site.page(
            "sign_in",
            next=_inside(asked.get("next", "")),
            name="",
            error=t(LOST) if "lost" in asked else "",
            done=t(OUT) if "out" in asked else "",
        )

    @blueprint.post("/sign-in")
    def enter() -> AnyResponse:
        """Sign in, after the second factor."""
        try:
            form = site.form(SIGN_IN)
            site.runtime.gates.rate_limit()
            signed_in = sessions.sign_in(_credentials(form), *origin())
        except PROVABLE:
            raise
        except Refusal as refusal:
            return _again(site, refusal)
        _end(sessions)  # the one before, which no browser has any more
        return _entered(sessions, signed_in, _inside(form["next"]) or url_for(HOME))

    @blueprint.post("/sign-out")
    def sign_out() -> AnyResponse:
        """End this sign-in."""
        site.runtime.gates.rate_limit()
        _end(sessions)
        response = site.go(".sign_in", out=1)
        response.delete_cookie(COOKIE, path=f"{request.root_path}/")
        return response

    return blueprint


def _again(site: Site, refusal: Refusal) -> Response:
    empty = isinstance(refusal, InvalidParams)
    error = site.translate("Fill in both fields.") if empty else told(site.words(), refusal)
    return site.page(
        "sign_in",
        status=429 if isinstance(refusal, TooManyRequests) else 401,
        next=_inside(request.form.get("next", "")),
        name=request.form.get("name", ""),
        error=error,
        field="name",
    )


def _credentials(form: dict[str, str]) -> Credentials:
    given = proof()
    return Credentials(
        by="email" if "@" in form["name"] else "username",
        name=form["name"],
        digest=PasswordHasher.digest(form["password"]),
        code=given.code,
        method=given.method,
    )


def _end(sessions: Sessions) -> None:
    """End the sign-in of the cookie, if there is one."""
    user_id, _, token = request.cookies.get(COOKIE, "").partition(":")
    if user_id and token:
        sessions.sign_out(user_id, token)


def _entered(sessions: Sessions, signed_in: SignedIn, back: str) -> AnyResponse:
    response = redirect(back, 303)
    settings, value = sessions.runtime.settings, f"{signed_in.user_id}:{signed_in.token}"
    set_cookie(response, settings, COOKIE, value, max_age=sessions.settings.token_seconds)
    return response


def _inside(path: str) -> str:
    """The path, if it is one of this site; else empty: nobody is led elsewhere."""
    plain = path.startswith("/") and path.isprintable() and "\\" not in path
    return path if plain and not path.startswith("//") else ""
