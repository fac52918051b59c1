"""`login`, `logout` and `me`, as Rocket.Chat clients know them, and the headers that sign in."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from e2ereset import Caller, Refusal, Runtime
from e2ereset.errors import InvalidParams, NotSignedIn
from e2ereset.http import Described, Gates, envelope, origin, proof
from e2ereset.pages.site import find_site
from e2ereset.server.links import OF_USER, SIGN_IN
from e2ereset.server.people.profiles import own
from e2ereset.server.people.service import find_person

from .answers import LOGIN, LOGIN_FAILURE, ME, SIGNED_IN, SIGNED_OUT
from .page_routes import COOKIE
from .personal import PersonalTokens
from .schemas import Credentials, Resume, mistyped_field, read_credentials
from .service import Sessions, SignedIn, Unauthorized
from .sign_outs import SignOuts
from .token_routes import add_sign_out_routes, add_token_routes
from .tokens import find_signed_in, note_use, sign_in_of

AFTER = (
    "me",
    "e2e.fetchMyKeys",
    "subscriptions.get",
    "groups.create",
    "users.resetE2EKey",
    "logout.post",
)
"""What clients do after a sign-in."""


def make_routes(sessions: Sessions, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("sessions", url_prefix=url_prefix)

    @blueprint.post("/login")
    @Described(
        body=LOGIN,
        answer=SIGNED_IN,
        signed_in=False,
        failures={401: LOGIN_FAILURE},
        links=dict.fromkeys(AFTER, SIGN_IN),
    )
    def login() -> Response:
        """Sign in by password or by a live token."""
        form = gates.read_body().parsed()
        if words := mistyped_field(form):
            raise InvalidParams(words)
        gates.rate_limit()
        try:
            signed_in = _sign_in(sessions, form)
        except Refusal as refusal:
            return envelope.login_failure(refusal)
        user_id, token = signed_in.user_id, signed_in.token
        data = {"userId": user_id, "authToken": token, "me": _me(sessions, user_id)}
        return envelope.success(status="success", data=data)

    @blueprint.route("/logout", methods=["GET", "POST"])
    @Described(answer=SIGNED_OUT)
    def logout() -> Response:
        """End the sign-in that this request came with."""
        caller = _signed_in(gates, "logout")
        sessions.sign_out(caller.account.id, request.headers["X-Auth-Token"])
        return envelope.success(status="success", data={"message": "You've been logged out!"})

    @blueprint.get("/me")
    @Described(answer=ME, links={"users.info": OF_USER})
    def me() -> Response:
        """The caller's own account."""
        return envelope.success(**_me(sessions, _signed_in(gates, "me").account.id))

    add_token_routes(blueprint, PersonalTokens(runtime=sessions.runtime), gates)
    add_sign_out_routes(blueprint, SignOuts(runtime=sessions.runtime), gates)
    return blueprint


def identify(runtime: Runtime) -> Caller | None:
    """The caller whose live token is in the two headers; None when nobody's is.

    Only on pages it may be in the cookie that a browser adds by itself.
    """
    user_id, token = request.headers.get("X-User-Id"), request.headers.get("X-Auth-Token")
    if request.blueprint in find_site().names:
        user_id, _, token = request.cookies.get(COOKIE, "").partition(":")
    if not user_id or not token:
        return None
    # A bare connection: this read comes with every request, and a session costs as much again.
    now = int(runtime.clock())
    with runtime.transactions.single() as connection:
        found = find_signed_in(connection, user_id, token, now)
    if found is None:
        return None
    if found.unnoted:
        # Nobody is kept out because this could not be written.
        with suppress(*envelope.FAULTS), runtime.transactions.single() as connection:
            note_use(connection, user_id, token, now)
    address, agent = origin()
    return Caller(
        account=found.account,
        address=address,
        agent=agent,
        bypasses_two_factor=found.bypasses,
        sign_in=sign_in_of(user_id, token),
        signed_in_at=found.began_at,
        grant=found.grant,
    )


def _signed_in(gates: Gates, action: str) -> Caller:
    """The caller of a complete request within the rate; a refusal leaves an audit row."""
    with gates.entered(action) as asked:
        gates.read_body().parsed()
        gates.rate_limit("read")
    return asked.caller


def _sign_in(sessions: Sessions, body: Mapping[str, Any]) -> SignedIn:
    match read_credentials(body):
        case Resume() as resume:
            return sessions.resume(resume)
        case Credentials() as form:
            form = replace(form, code=form.code or proof().code)
            return sessions.sign_in(form, *origin())
    raise Unauthorized


def _me(sessions: Sessions, user_id: str) -> dict[str, Any]:
    with sessions.runtime.transactions.read() as session:
        person = find_person(session, user_id)
    if person is None:
        raise NotSignedIn
    return own(person)
