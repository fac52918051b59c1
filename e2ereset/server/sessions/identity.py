"""Who is signed in, by the two headers that Rocket.Chat clients send."""

from __future__ import annotations

from flask import request

from e2ereset import Caller, Runtime
from e2ereset.http import origin

from .tokens import find_signed_in, sign_in_of


def identify(runtime: Runtime) -> Caller | None:
    """The caller whose live token came with this request; None when there is none."""
    user_id, token = request.headers.get("X-User-Id"), request.headers.get("X-Auth-Token")
    if not user_id or not token:
        return None
    # A bare connection: this read comes with every request, and a session costs as much again.
    with runtime.transactions.engine.connect() as connection:
        found = find_signed_in(connection, user_id, token, int(runtime.clock()))
    if found is None:
        return None
    account, bypasses = found
    address, agent = origin()
    return Caller(
        account=account,
        address=address,
        agent=agent,
        bypasses_two_factor=bypasses,
        sign_in=sign_in_of(user_id, token),
    )
