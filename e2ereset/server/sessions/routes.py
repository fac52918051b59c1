"""`login`, `logout` and `me`, as Rocket.Chat clients know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Response, request

from e2ereset import Action, Caller, Refusal, get_e2ereset
from e2ereset.errors import InvalidParams, NotSignedIn
from e2ereset.http import bodies, envelope, gates
from e2ereset.http.blueprint import make_blueprint
from e2ereset.http.rates import rate_limit
from e2ereset.server.people.service import Person, find_person

from .schemas import Credentials, Resume, mistyped_field, read_credentials
from .service import SignedIn, Unauthorized, current_sessions

blueprint = make_blueprint("sessions")


@blueprint.post("/login")
def login() -> Response:
    """Sign in by password or by a live token."""
    form = bodies.read().parsed()
    if words := mistyped_field(form):
        raise InvalidParams(words)
    rate_limit()
    try:
        signed_in = _sign_in(_read_credentials(form))
    except Refusal as refusal:
        return envelope.login_failure(refusal)
    data = {
        "userId": signed_in.user_id,
        "authToken": signed_in.token,
        "me": _me(signed_in.user_id),
    }
    return envelope.success(status="success", data=data)


@blueprint.route("/logout", methods=["GET", "POST"])
def logout() -> Response:
    """End the sign-in that this request came with."""
    caller = _signed_in("logout")
    token = request.headers["X-Auth-Token"]
    current_sessions().sign_out(SignedIn(user_id=caller.account.id, token=token))
    return envelope.success(status="success", data={"message": "You've been logged out!"})


@blueprint.get("/me")
def me() -> Response:
    """The caller's own account."""
    return envelope.success(**_me(_signed_in("me").account.id))


def _signed_in(action: str) -> Caller:
    """Whose whole request this is, within its rate; a refusal of it is in the audit log."""
    asked = gates.action_request(Action(name=action))
    with gates.recorded(asked):
        bodies.read().parsed()
        rate_limit(guarded=False)
    return asked.caller


def _read_credentials(form: Mapping[str, Any]) -> Credentials | Resume:
    credentials = read_credentials(form)
    if credentials is None:
        raise Unauthorized
    return credentials


def _sign_in(form: Credentials | Resume) -> SignedIn:
    if isinstance(form, Resume):
        return current_sessions().resume(form)
    address, agent = gates.origin()
    if form.code is None:
        form = replace(form, code=gates.proof().code)
    return current_sessions().sign_in(form, address, agent)


def _me(user_id: str) -> dict[str, Any]:
    with get_e2ereset().transactions.read() as session:
        person = find_person(session, user_id)
    if person is None:
        raise NotSignedIn
    return profile(person)


def profile(person: Person) -> dict[str, Any]:
    """A user as the `me` of the wire: never a hash, never a key."""
    user = person.user
    services: dict[str, Any] = {"password": {"exists": user.password_hash is not None}}
    if person.email_2fa:
        services["email2fa"] = {"enabled": True}
    if person.totp:
        services["totp"] = {"enabled": True}
    verified = [one["address"] for one in person.emails if one["verified"]]
    return {
        "_id": user.id,
        "name": user.name,
        "username": user.username,
        "emails": person.emails,
        "roles": person.roles,
        "active": user.active,
        "settings": {"profile": {}, "preferences": {}, "calendar": {}},
        "avatarUrl": f"/avatar/{user.username}",
        "isOAuthUser": False,
        "services": services,
        **({"email": verified[0]} if verified else {}),
    }
