"""`login`, `logout` and `me`, as Rocket.Chat clients know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from e2ereset import Caller, Refusal
from e2ereset.errors import InvalidParams, NotSignedIn
from e2ereset.http import Gates, envelope, origin, proof
from e2ereset.server.people.service import Person, find_person

from .schemas import Credentials, Resume, mistyped_field, read_credentials
from .service import Sessions, SignedIn, Unauthorized


def make_routes(sessions: Sessions, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("sessions", url_prefix=url_prefix)

    @blueprint.post("/login")
    def login() -> Response:
        """Sign in by password or by a live token."""
        form = gates.read_body().parsed()
        if words := mistyped_field(form):
            raise InvalidParams(words)
        gates.rate_limit()
        try:
            signed_in = _sign_in(sessions, _read_credentials(form))
        except Refusal as refusal:
            return envelope.login_failure(refusal)
        data = {
            "userId": signed_in.user_id,
            "authToken": signed_in.token,
            "me": _me(sessions, signed_in.user_id),
        }
        return envelope.success(status="success", data=data)

    @blueprint.route("/logout", methods=["GET", "POST"])
    def logout() -> Response:
        """End the sign-in that this request came with."""
        caller = _signed_in(gates, "logout")
        token = request.headers["X-Auth-Token"]
        sessions.sign_out(SignedIn(user_id=caller.account.id, token=token))
        return envelope.success(status="success", data={"message": "You've been logged out!"})

    @blueprint.get("/me")
    def me() -> Response:
        """The caller's own account."""
        return envelope.success(**_me(sessions, _signed_in(gates, "me").account.id))

    return blueprint


def _signed_in(gates: Gates, action: str) -> Caller:
    """Whose whole request this is, within its rate; a refusal of it is in the audit log."""
    with gates.entered(action) as asked:
        gates.read_body().parsed()
        gates.rate_limit(guarded=False)
    return asked.caller


def _read_credentials(form: Mapping[str, Any]) -> Credentials | Resume:
    credentials = read_credentials(form)
    if credentials is None:
        raise Unauthorized
    return credentials


def _sign_in(sessions: Sessions, form: Credentials | Resume) -> SignedIn:
    if isinstance(form, Resume):
        return sessions.resume(form)
    address, agent = origin()
    if form.code is None:
        form = replace(form, code=proof().code)
    return sessions.sign_in(form, address, agent)


def _me(sessions: Sessions, user_id: str) -> dict[str, Any]:
    with sessions.runtime.transactions.read() as session:
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
