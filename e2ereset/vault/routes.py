"""`POST e2e.setUserPublicAndPrivateKeys` and `GET e2e.fetchMyKeys`."""

from __future__ import annotations

from flask import Response

from e2ereset.errors import InvalidParams
from e2ereset.http import bodies, envelope, gates
from e2ereset.http.cross_site import rides_on_cookie
from e2ereset.http.rates import rate_limit
from e2ereset.records import Action
from e2ereset.runtime import get_e2ereset

from .schemas import KEYS
from .service import ACTION, Pair


def set_keys() -> Response:
    """Store the caller's key pair; another public key in the place of one is a reset (SPEC 1)."""
    runtime = get_e2ereset()
    asked = gates.action_request(Action(name=ACTION))
    with gates.recorded(asked):
        if bodies.read().is_form and rides_on_cookie():
            raise InvalidParams(f"body must be {bodies.JSON_TYPE}")  # any page can send a form
        body = gates.body(KEYS)
        rate_limit(guarded=asked.proof.code is not None)
        pair = Pair(body["public_key"], body["private_key"])
        done = runtime.vault.set(asked.caller, pair, force=body["force"], now=asked.now)
    try:
        if not done:
            runtime.resets.replace_key(asked.caller, pair, asked.proof, asked.now)
    finally:
        runtime.wake()
    return envelope.success()


def fetch_my_keys() -> Response:
    """The caller's key pair; nothing but `success` when there is none."""
    asked = gates.action_request(Action(name="fetch-e2e-keys"))
    with gates.recorded(asked):
        bodies.read().parsed()  # nothing in it counts, but it has to have come
        rate_limit(guarded=False)
    pair = get_e2ereset().vault.get(asked.caller.account.id)
    if pair is None:
        return envelope.success()
    return envelope.success(public_key=pair.public_key, private_key=pair.private_key)
